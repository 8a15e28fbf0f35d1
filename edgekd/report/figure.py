"""A figure as a plain plotly description; `templates/report.js` draws it in the reader's colours.

A colour is a CSS variable's name (`--pass`), looked up when drawing, so that one file is right in
light, in dark and on paper. Names are data: plotly reads a little HTML, so they are escaped.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from edgekd.report.printing import one_line


@dataclass(frozen=True)
class Figure:
    """One figure: the id of its box, its title, what it says in words, and what plotly draws."""

    id: str
    title: str
    words: str
    data: tuple[dict[str, Any], ...]
    layout: dict[str, Any]


def plain(name: str) -> str:
    """Escape a name so that plotly draws it letter by letter."""
    return html.escape(one_line(name), quote=False)


def finite(values: Iterable[float | None]) -> list[float]:
    """Keep the values that can be drawn."""
    return [value for value in values if value is not None and math.isfinite(value)]
