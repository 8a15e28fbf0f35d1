"""Pieces of Markdown: tables, lists, and names that stay text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from edgekd.report.printing import ABSENT, one_line, print_percent, range_percent
from edgekd.stats.interval import Interval

_SPECIAL = re.compile(r"[\\`*\[\]<>|~&#!$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")


def share(value: Interval | None) -> str:
    """Print a share with its interval."""
    return f"{print_percent(value)} [{range_percent(value)}]" if value else ABSENT


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> str:
    """Join cells that are escaped already."""
    to_right = set(right)
    rule = ["---:" if index in to_right else "---" for index in range(len(heads))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, rule, *rows))


def bullets(items: Iterable[str]) -> str:
    """List items that are escaped already."""
    return "\n".join(f"- {item}" for item in items)


def fence(text: str) -> str:
    """Print a command that cannot leave its block."""
    line = one_line(text)
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", line)), default=0))
    return f"{ticks}sh\n{line}\n{ticks}"


def escape(text: str) -> str:
    """Escape what Markdown or a table would read as more than text."""
    return _SPECIAL.sub(r"\\\g<0>", one_line(text))
