"""edgekd: distil, compile, measure, gate and promote small language models per hardware target."""

from edgekd.api import size
from edgekd.quiet import silence
from edgekd.sizing.budget import Budget

__version__ = "0.1.0"

__all__ = ["Budget", "__version__", "size"]

silence()  # before any library is imported that would tell its maker
