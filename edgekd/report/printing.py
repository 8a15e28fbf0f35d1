"""Print an interval, a share, a count: the same words in HTML, Markdown and on the terminal."""

from __future__ import annotations

import math
from collections.abc import Callable

from edgekd.report.view import TargetReport
from edgekd.stats.interval import Interval
from edgekd.units import format_bytes, format_ms, format_points

_Show = Callable[[float], str]

ABSENT = "–"
"""Stands where nothing was measured; never a zero."""


def print_ms(value: Interval | float | None) -> str:
    """Print a duration's estimate with its unit.

    >>> print_ms(0.342)
    '0.342 ms'
    """
    number = _estimate(value)
    return ABSENT if number is None else format_ms(number)


def print_usd(amount: float | None) -> str:
    """Print a small amount of money with three significant digits.

    >>> print_usd(0.000229)
    '$0.000229'
    """
    return ABSENT if amount is None else f"${amount:.3g}"


def print_bytes(size: int | None) -> str:
    """Print a size in the unit that suits it."""
    return ABSENT if size is None else format_bytes(size)


def print_percent(value: Interval | float | None) -> str:
    """Print a share as a percentage.

    >>> print_percent(0.9581)
    '95.8 %'
    """
    number = _estimate(value)
    return ABSENT if number is None else f"{100 * number:.1f} %"


def print_points(value: Interval | float | None) -> str:
    """Print a drop in percentage points with its sign; the unit stands in the heading."""
    number = _estimate(value)
    return ABSENT if number is None else format_points(number)


def print_ratio(value: Interval | float | None) -> str:
    """Print a speed-up.

    >>> print_ratio(52.34)
    '52×'
    """
    number = _estimate(value)
    if number is None:
        return ABSENT
    return f"{number:.0f}×" if number >= 10 else f"{number:.1f}×"


def capital(words: str) -> str:
    """Begin words with a capital letter, and leave the others as they are.

    >>> capital("accuracy"), capital("NDCG@10")
    ('Accuracy', 'NDCG@10')
    """
    return words[:1].upper() + words[1:]


def print_count(number: int) -> str:
    """Print a count with thousands set apart.

    >>> print_count(4120)
    '4,120'
    """
    return f"{number:,}"


def range_ms(value: Interval | None) -> str:
    """Print the two ends of a duration, without the unit."""
    return _range(value, lambda number: format_ms(number).removesuffix(" ms"))


def range_percent(value: Interval | None) -> str:
    """Print the two ends of a share as percentages, without the unit."""
    return _range(value, lambda number: f"{100 * number:.1f}")


def range_points(value: Interval | None) -> str:
    """Print the two ends of a drop in percentage points."""
    return _range(value, format_points, " to ")


def range_ratio(value: Interval | None) -> str:
    """Print the two ends of a speed-up."""
    return _range(value, lambda number: print_ratio(number).removesuffix("×"))


def one_line(text: str) -> str:
    """Make text safe for one line of a terminal or a table: no breaks, no control characters."""
    words = " ".join(text.split())
    return "".join(character for character in words if character.isprintable())


def verdict(target: TargetReport) -> str:
    """Say in a few words what became of a target: where nothing was promoted, what would have to pass."""
    if target.promoted is None:
        words = target.next_step.short if target.next_step else target.reason
        return f"{target.status}: {one_line(words)}"
    tie = f", tie with {one_line(target.tie_with)}" if target.tie_with else ""
    return target.status + tie


def headline(targets: tuple[TargetReport, ...]) -> str:
    """Count what became of the targets.

    >>> headline(())
    '0 of 0 targets have a promoted variant'
    """
    done = sum(target.promoted is not None for target in targets)
    noun, verb = ("target", "has") if len(targets) == 1 else ("targets", "have")
    parts = [f"{done} of {len(targets)} {noun} {verb} a promoted variant"]
    for status in ("not promoted", "not measured"):
        count = sum(target.status == status for target in targets)
        if count:
            parts.append(f"{count} {status}")
    return "; ".join(parts)


def _estimate(value: Interval | float | None) -> float | None:
    number = value.estimate if isinstance(value, Interval) else value
    return None if number is None or not math.isfinite(number) else number


def _range(value: Interval | None, show: _Show, joined: str = "–") -> str:
    if value is None:
        return ""
    return joined.join(show(end) if math.isfinite(end) else "?" for end in (value.low, value.high))
