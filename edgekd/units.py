"""Print base units for people; nothing else converts."""

from __future__ import annotations

MIB = 1024 * 1024


def format_bytes(size: float) -> str:
    """Print a size in the unit that leaves one to three digits before the point.

    >>> format_bytes(6_291_456)
    '6.0 MiB'
    """
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.2f} GiB"


def format_ms(milliseconds: float) -> str:
    """Print a duration with three significant digits.

    >>> format_ms(0.05123)
    '0.0512 ms'
    """
    digits = 4 if milliseconds < 0.1 else 3 if milliseconds < 1 else 2 if milliseconds < 10 else 1
    return f"{milliseconds:.{digits}f} ms"


def format_points(share: float) -> str:
    """Print a share as percentage points with its sign.

    >>> format_points(0.0123)
    '+1.23'
    """
    return f"{100 * share:+.2f}"
