"""edgekd: distil, compile, measure, gate and promote small language models per hardware target."""

from edgekd.quiet import silence

__version__ = "0.1.0"

__all__ = ["__version__"]

silence()  # before any library is imported that would tell its maker
