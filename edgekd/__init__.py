"""edgekd: distil, compile, measure, gate and promote small language models per hardware target."""

from typing import TYPE_CHECKING, Any

from edgekd.quiet import silence

if TYPE_CHECKING:
    from edgekd.api import size
    from edgekd.sizing.budget import Budget

__version__ = "0.1.0"

__all__ = ["Budget", "__version__", "size"]

_AT = {"Budget": "edgekd.sizing.budget", "size": "edgekd.api"}

silence()  # before any library is imported that would tell its maker


def __getattr__(name: str) -> Any:
    """Import what is asked for: parts of edgekd also run where the rest of it is not."""
    if name not in _AT:
        raise AttributeError(f"module 'edgekd' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_AT[name]), name)
