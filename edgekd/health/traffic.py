"""Figures of traffic from a service's log: how much, how fast, how often the teacher is asked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from edgekd.health.figure import WHOLE, Figure
from edgekd.stats.proportion import wilson_interval

COLUMNS = ("time", "milliseconds", "action", "slices", "device", "region", "language")
ATTRIBUTES = ("device", "region", "language")
_STEP = math.log(1.01)  # of the histogram: a quantile is within half a percent
_LEAST_MS, _BINS = 1e-3, 2400
_MOST_PARTS = 1000
"""Slices and values that are counted apart; those that come after are counted together, as `others`."""
_SOURCE = "service log"


@dataclass
class Counts:
    """What some requests of one period come to.

    Attributes:
        n: Requests.
        to_teacher: Of them, those that went to the teacher.
        refused: Those that were refused.
        times: How many took how long: logarithmic bins of 1 %, shape [bin].
        first: Time of the first one, in seconds since 1970.
        last: Of the last one.
    """

    n: int = 0
    to_teacher: int = 0
    refused: int = 0
    times: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(_BINS, np.int64))
    first: float = math.inf
    last: float = -math.inf

    def quantile(self, share: float) -> float:
        """Return the time in ms that this share of the requests is within; within half a percent."""
        place = int(np.searchsorted(np.cumsum(self.times), max(1.0, share * self.n)))
        return float(_LEAST_MS * math.exp((place + 0.5) * _STEP))


class Traffic:
    """Counts requests by slice, device, region and language, in two periods; rows are not kept.

    `since` is the time at which the recent period begins.
    """

    def __init__(self, since: float) -> None:
        self._since = since
        self.recent: dict[str, Counts] = {}
        self.before: dict[str, Counts] = {}

    def add(self, table: pa.Table) -> None:
        """Count some rows; they have COLUMNS, of which only `time` and `milliseconds` must be filled in."""
        times = _numbers(table, "time")
        if not len(times):
            return
        took = np.nan_to_num(_numbers(table, "milliseconds"), nan=0.0)
        bins = np.clip(np.log(np.maximum(took, _LEAST_MS) / _LEAST_MS) / _STEP, 0, _BINS - 1).astype(np.int64)
        action = table["action"]
        acted = [
            np.asarray(pc.fill_null(pc.equal(action, word), False))
            if pa.types.is_string(action.type)
            else np.zeros(len(times), np.bool_)
            for word in ("teacher", "refuse")
        ]
        is_recent = times >= self._since
        for name, rows in _parts(table):
            for period, chosen in ((self.recent, is_recent), (self.before, ~is_recent)):
                picked = chosen if rows is None else rows[chosen[rows]]
                n = int(picked.sum()) if rows is None else len(picked)
                if not n:
                    continue
                if name not in period and len(period) >= _MOST_PARTS:
                    name = "others"
                counts = period.setdefault(name, Counts())
                counts.n += n
                counts.to_teacher += int(acted[0][picked].sum())
                counts.refused += int(acted[1][picked].sum())
                counts.times += np.bincount(bins[picked], minlength=_BINS)
                counts.first = min(counts.first, float(times[picked].min()))
                counts.last = max(counts.last, float(times[picked].max()))

    def figures(self) -> Iterator[Figure]:
        """Return what was counted, of the recent period beside the one before."""
        for name, now in sorted(self.recent.items(), key=lambda entry: (entry[0] != WHOLE, entry[0])):
            was = self.before.get(name)
            rate = _per_second(now)
            yield Figure(
                "traffic", "requests_per_second", name, rate, rate, rate, _SOURCE,
                None if was is None else _per_second(was), now.n,
            )  # fmt: skip
            for share, figure in ((0.5, "p50_ms"), (0.95, "p95_ms")):
                low, high = (now.quantile(end) for end in _ends(share, now.n))
                yield Figure(
                    "traffic", figure, name, now.quantile(share), low, high, _SOURCE,
                    None if was is None else was.quantile(share), now.n,
                )  # fmt: skip
            for figure, hits, before in (
                ("fallback_rate", now.to_teacher, None if was is None else was.to_teacher / was.n),
                ("refusal_rate", now.refused, None if was is None else was.refused / was.n),
            ):
                found = wilson_interval(hits, now.n)
                yield Figure(
                    "traffic", figure, name, found.estimate, found.low, found.high, _SOURCE, before, now.n
                )


def count_traffic(tables: Iterable[pa.Table], since: float) -> Traffic:
    """Count the rows of a log, table by table."""
    traffic = Traffic(since)
    for table in tables:
        traffic.add(table)
    return traffic


def _per_second(counts: Counts) -> float:
    return counts.n / max(counts.last - counts.first, 1.0)


def _ends(share: float, n: int) -> tuple[float, float]:
    """Return the shares between which the quantile lies with 95 %: by the normal form of the binomial."""
    room = 1.96 * math.sqrt(share * (1 - share) / n)
    return max(0.0, share - room), min(1.0, share + room)


def _numbers(table: pa.Table, name: str) -> npt.NDArray[np.float64]:
    return np.asarray(table[name].cast(pa.float64()).to_numpy(), np.float64)


def _parts(table: pa.Table) -> Iterator[tuple[str, npt.NDArray[np.int64] | None]]:
    """Name the parts of the rows, and the rows of each; None for all of them."""
    yield WHOLE, None
    if pa.types.is_list(table["slices"].type):
        lists = table["slices"].combine_chunks()
        names, owners = pc.list_flatten(lists), np.asarray(pc.list_parent_indices(lists))
        yield from _by_value("", names, owners)
    for attribute in ATTRIBUTES:
        if pa.types.is_string(table[attribute].type):
            yield from _by_value(f"{attribute} ", table[attribute].combine_chunks(), None)


def _by_value(
    prefix: str, values: pa.Array, owners: npt.NDArray[np.int64] | None
) -> Iterator[tuple[str, npt.NDArray[np.int64]]]:
    coded = pc.dictionary_encode(values)
    codes = np.asarray(pc.fill_null(coded.indices, -1))
    for place, name in enumerate(coded.dictionary.to_pylist()):
        rows = np.flatnonzero(codes == place)
        yield f"{prefix}{name}", rows if owners is None else owners[rows]
