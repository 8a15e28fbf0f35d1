"""One check that holds a variant back, and what would let it pass."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from edgekd.evaluate.record import Record
from edgekd.evaluate.result import Above, SliceResult
from edgekd.gate.check import ABOVE, QUALITY, Check, Status
from edgekd.stats.bounded import BoundedMean
from edgekd.stats.paired import rows_needed
from edgekd.stats.tally import Tally, exact_floor_rows

_LEVEL = 0.95
_MOST_ROWS = 1_000_000
"""More rows than this are nobody's next step: then no number is given."""
_LONGEST = 90


@dataclass(frozen=True)
class Binding(Record):
    """A check that does not pass, and for a slice the limit that its rows prove and the rows that it needs.

    Attributes:
        variant: whose check it is.
        n: rows that were judged; None where the check is of no slice.
        rows_needed: rows in all that would prove the limit at the observed rates, or with no row at no loss;
            None where no number of rows would.
        provable: the nearest limit, as a share, that these rows prove: a margin, a floor, or a largest share
            of false alarms; None where they prove none.
        asked: the limit that was asked, in the same terms.
        value: the drop, or the slice's own value, as a share.
        is_margin: whether the limit is a margin of a drop, and not a limit of the slice's own value.
        is_of_quality: whether it is of a slice's quality.
        is_gain: whether the limit is how much a baseline must be exceeded by.
    """

    variant: str
    name: str
    status: Status
    found: str
    limit: str
    reason: str
    n: int | None = None
    rows_needed: int | None = None
    provable: float | None = None
    asked: float | None = None
    value: float | None = None
    is_margin: bool = False
    is_of_quality: bool = False
    is_gain: bool = False

    @property
    def can_be_proven(self) -> bool:
        """Whether more rows may lift it, or it is of no slice and something else may."""
        return self.n is None or self.rows_needed is not None

    @property
    def short(self) -> str:
        """The check and what it needs, for one line of a terminal."""
        if self.n is None:
            said = self.reason if self.status in ("not measured", "not eligible") else ""
            words = said or f"{self.found}, limit {self.limit}"
            return f"{self.name} ({_cut(words)})"
        if self.rows_needed is not None:
            needs = f"needs {self.rows_needed:,} rows, has {self.n:,}"
        elif self.value is None or self.asked is None:
            needs = "has no rows"
        elif self.is_margin:
            needs = f"drop {100 * self.value:.1f} points, margin {100 * self.asked:.4g}"
        elif self.is_gain:
            needs = f"gain {100 * self.value:.1f} points, asked {100 * self.asked:.4g}"
        else:
            needs = f"{100 * self.value:.1f} % of {100 * self.asked:.4g}"
        return f"{self.name} ({needs}{'; ' + self._proves if self._proves else ''})"

    @property
    def whole(self) -> str:
        """What was measured, what was asked, and what would let it pass."""
        said = f"{self.name}: {self.found}, limit {self.limit}"
        if self.n is None:
            return f"{said}: {self.reason}" if self.reason else said
        if self.rows_needed is None:
            rows = f"No number of rows like these {self.n:,} would prove it" if self.n else "It has no rows"
        else:
            rate = "at this rate" if self.n else "if none is lost"
            rows = f"{self.rows_needed:,} rows in the slice would prove it {rate}, it has {self.n:,}"
        if self.status == "fail":
            rows = "That it is missed is proven, so more rows would not help"
        return f"{said}. {rows}{'; ' + self._proves if self._proves else ''}."

    @property
    def _proves(self) -> str:
        if self.provable is None:
            return ""
        limit = f"{100 * self.provable:.4g}"
        if self.is_gain:
            points = f"a gain of {limit} points"
            return f"{points} would pass" if self.status == "fail" else f"these prove {points}"
        if self.status == "fail":
            return f"a margin of {limit} points would pass" if self.is_margin else f"{limit} % would pass"
        return f"these prove a margin of {limit} points" if self.is_margin else f"these prove {limit} %"


def bind_check(variant: str, check: Check, result: SliceResult | None, of: int) -> Binding:
    """Say what a check needs; `result` is its slice, `of` the number of claims of harm that share 5 %."""
    plain = Binding(
        variant,
        check.name,
        check.status,
        check.found,
        check.limit,
        check.reason,
        is_of_quality=check.is_of_quality,
    )
    if result is None or check.status == "not measured":
        return plain
    if check.name.startswith(QUALITY):
        return _of_margin(plain, result, of)
    for above in result.above:
        if check.name.startswith(f"{ABOVE}{above.reference} "):
            return _of_gain(plain, result, above, of)
    return _of_floor(plain, result, of)


def _of_margin(plain: Binding, result: SliceResult, of: int) -> Binding:
    margin, drop = result.margin, result.drop_from("teacher")
    assert margin is not None
    if result.n == 0 or drop is None:
        more = rows_needed(0, 0, 2, margin) if result.n == 0 else None
        rows = None if more is None else more + 2
        return replace(plain, n=result.n, rows_needed=rows, asked=margin, is_margin=True)
    rows = None
    if plain.status != "fail" and drop.estimate < margin:
        more = drop.at(_LEVEL).rows_needed(margin)
        rows = None if more is None else _practical(drop.n + more)
    watched = result.tier == "watch"
    proven = drop.at(1 - (1 - _LEVEL) / of).low if watched else drop.at(_LEVEL).high
    return replace(
        plain,
        n=result.n,
        rows_needed=rows,
        provable=_up(proven) if proven < 1 else None,
        asked=margin,
        value=drop.estimate,
        is_margin=True,
    )


def _of_floor(plain: Binding, result: SliceResult, of: int) -> Binding:
    floor, tally = result.floor, result.tally
    assert floor is not None
    is_most = result.at_most is not None
    asked = result.at_most if is_most else floor
    if tally is None or result.value is None:
        rows = exact_floor_rows(1.0, floor)
        return replace(plain, n=0, rows_needed=rows, asked=asked)
    rows = None
    if plain.status != "fail" and tally.share > floor:
        rows = _rows_for(tally, result, floor)
    level = 1 - (1 - _LEVEL) / of
    end = tally.at(_LEVEL).low if result.tier == "prove" else tally.at(level).high
    provable = _up(1 - end) if is_most else _down(end)
    return replace(
        plain,
        n=result.n,
        rows_needed=rows,
        provable=provable if 0 < provable < 1 else None,
        asked=asked,
        value=1 - tally.share if is_most else tally.share,
    )


def _of_gain(plain: Binding, result: SliceResult, above: Above, of: int) -> Binding:
    drop = result.drop_from(above.reference)
    if result.n == 0 or drop is None:
        return replace(plain, n=result.n, asked=above.by, is_gain=True)
    rows = None
    if plain.status != "fail" and -drop.estimate > above.by:
        more = drop.at(_LEVEL).rows_needed(-above.by)
        rows = None if more is None else _practical(drop.n + more)
    watched = result.tier == "watch"
    proven = -drop.at(1 - (1 - _LEVEL) / of).low if watched else -drop.at(_LEVEL).high
    return replace(
        plain,
        n=result.n,
        rows_needed=rows,
        provable=_down(proven),
        asked=above.by,
        value=-drop.estimate,
        is_gain=True,
    )


def _rows_for(tally: Tally | BoundedMean, result: SliceResult, floor: float) -> int | None:
    """Return the rows that prove a floor at this value; weighted rows are supposed to weigh as these do."""
    if isinstance(tally, BoundedMean):
        more = tally.rows_needed(floor, _LEVEL)
        return None if more is None else _practical(tally.n + more)
    if result.sampling != "weighted":
        rows = exact_floor_rows(tally.share, floor, most=2 * _MOST_ROWS)
        return None if rows is None else _practical(rows)

    def proves(times: float) -> bool:
        parts = (tally.right, tally.wrong, tally.right_squares, tally.wrong_squares)
        return Tally(*(times * part for part in parts)).at(_LEVEL).low >= floor

    short, enough = 1.0, 2.0
    while not proves(enough):
        short, enough = enough, 2 * enough
        if enough * result.n > 2 * _MOST_ROWS:
            return None
    while (enough - short) * result.n > 1:
        middle = (short + enough) / 2
        short, enough = (short, middle) if proves(middle) else (middle, enough)
    return _practical(math.ceil(enough * result.n))


def _practical(rows: int) -> int | None:
    return rows if rows <= _MOST_ROWS else None


def _up(share: float) -> float:
    """Round up to a hundredth of a point, so that the limit as it is said is truly proven."""
    return math.ceil(round(1e4 * share, 6)) / 1e4


def _down(share: float) -> float:
    return math.floor(round(1e4 * share, 6)) / 1e4


def _cut(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
