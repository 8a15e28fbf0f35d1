"""Rates as counts of a day's requests, beside them."""

from __future__ import annotations

from edgekd.report.printing import ABSENT
from edgekd.report.slices import SliceRow
from edgekd.stats.interval import Interval


def print_per_day(count: float | None) -> str:
    """Print a count per day, in whole requests.

    >>> print_per_day(7500.4), print_per_day(0.34)
    ('7,500 a day', '0.34 a day')
    """
    if count is None:
        return ABSENT
    return f"{count:,.0f} a day" if count >= 10 or count == 0 else f"{count:.2g} a day"


def print_rate_per_day(rate: Interval | None, requests_per_day: float | None) -> str:
    """Print how many of a day's requests a rate concerns; nothing where that is not known."""
    if rate is None or requests_per_day is None:
        return ""
    return print_per_day(rate.estimate * requests_per_day)


def print_errors(part: SliceRow, value: Interval | None) -> str:
    """Print how many of a day's requests are answered wrongly; nothing where that is not known."""
    found = part.errors_per_day(value)
    return "" if found is None else f"{print_per_day(found).removesuffix(' a day')} wrong a day"


def print_dollars(amount: float | None) -> str:
    """Print an amount of money, in whole dollars where it is large.

    >>> print_dollars(43500), print_dollars(0.0456), print_dollars(-12.5)
    ('$43,500', '$0.0456', '-$12.50')
    """
    if amount is None:
        return ABSENT
    size = abs(amount)
    words = f"{size:,.0f}" if size >= 100 else f"{size:.2f}" if size >= 1 else f"{size:.3g}"
    return f"{'-' if amount < 0 else ''}${words}"
