"""Choose the rows of a labelling job: some of each kind, unlike one another within each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from edgekd.curate.sampling.features import Features
from edgekd.curate.sampling.spread import choose_spread
from edgekd.errors import BadInputError, unknown_name

MIX: Mapping[str, float] = {
    "stratified": 0.2,
    "risk": 0.15,
    "margin": 0.25,
    "fresh": 0.15,
    "disagreement": 0.15,
    "hard": 0.1,
}
"""Shares of a labelling job, by the reason for which a row is chosen."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """Rows without a label; arrays are in the order of the same rows, and None where nothing is known.

    Attributes:
        features: [row, feature], of length 1; see `text_features`, or a model's own.
        strata: [row] number of the part of the traffic that a row is of.
        risk: [row] whether a wrong answer would do harm.
        margin: [row] by how much a model prefers its answer to the next, 0 to 1; of orders, the first
            candidate
            to the second.
        age: [row] days since the row was written.
        disagreement: [row] how differently two models answer, 0 to 1: student and teacher, or variant and
            teacher.
        hard: [row] how near a row is to rows that the student got wrong, 0 to 1; see `near_failures`.
        labelled: places of rows that have a label already: none of them is chosen, nor what is like them.
    """

    features: Features
    strata: npt.NDArray[np.int64] | None = None
    risk: npt.NDArray[np.bool_] | None = None
    margin: npt.NDArray[np.floating] | None = None
    age: npt.NDArray[np.floating] | None = None
    disagreement: npt.NDArray[np.floating] | None = None
    hard: npt.NDArray[np.floating] | None = None
    labelled: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.features)


@dataclass(frozen=True)
class Sample:
    """Rows to label.

    Attributes:
        rows: places of the rows, each once.
        reasons: the kind that chose each.
        missing: kinds of the mix for which nothing was known, so that others got their share.
    """

    rows: npt.NDArray[np.int64]
    reasons: tuple[str, ...]
    missing: tuple[str, ...]


def choose(
    pool: Candidates, budget: int, seed: int = 0, mix: Mapping[str, float] = MIX, half_life_days: float = 30.0
) -> Sample:
    """Choose `budget` rows, or all that are worth a label; kinds share it by `mix`.

    A kind for which nothing is known, and what a kind finds no rows for, goes to the others: to the strata
    last.

    Raises:
        BadInputError: the budget is less than 1, or the mix names no known kind.
    """
    if budget < 1:
        raise BadInputError(f"a labelling job needs at least one row, got {budget}")
    for name in mix:
        if name not in MIX:
            raise BadInputError(f"mix: {unknown_name('kind of sampling', name, MIX)}")
    rng = np.random.default_rng(seed)
    worth = _worth(pool, half_life_days)
    asked = {name: share for name, share in mix.items() if name in worth and share > 0}
    missing = tuple(name for name, share in mix.items() if name not in worth and share > 0)
    rows = np.zeros(0, np.int64)
    reasons: list[str] = []
    left = sum(asked.values())
    for name in sorted(asked, key=lambda kind: kind == "stratified"):  # which takes what others leave
        count = round((budget - len(rows)) * asked[name] / left)
        left -= asked[name]
        free = worth[name].copy()
        free[rows] = 0
        known = np.concatenate([pool.labelled, rows])
        found = (
            _by_strata(pool, free, budget - len(rows), rng, known)
            if name == "stratified"
            else choose_spread(pool.features, free, count, rng, known)
        )
        rows = np.concatenate([rows, found])
        reasons += [name] * len(found)
    return Sample(rows, tuple(reasons), missing)


def near_failures(features: Features, failed: Features, most: int = 2000) -> npt.NDArray[np.float32]:
    """Return how near each row [row] is to the nearest row that the student got wrong, 0 to 1.

    So what is mined from failures are rows to label, never the failures of a test set themselves. `failed`
    [failure, feature] are thinned out to `most`.
    """
    found = np.zeros(len(features), np.float32)
    for near in np.array_split(failed[:: max(1, -(-len(failed) // most))], 8):
        if len(near):
            found = np.maximum(found, (features @ near.T).max(axis=1))
    return np.clip(found, 0, 1)


def _worth(pool: Candidates, half_life_days: float) -> dict[str, npt.NDArray[np.float64]]:
    """Say for each kind how much a row is worth, 0 to 1; what is labelled is worth nothing."""
    found: dict[str, npt.NDArray[np.float64]] = {"stratified": np.ones(len(pool))}
    if pool.risk is not None and pool.risk.any():
        found["risk"] = pool.risk.astype(np.float64)
    if pool.margin is not None:
        found["margin"] = np.nan_to_num(1.0 - pool.margin.astype(np.float64), nan=0.0).clip(0, 1) ** 2
    if pool.age is not None:
        found["fresh"] = np.nan_to_num(0.5 ** (np.maximum(pool.age, 0) / half_life_days), nan=0.0)
    if pool.disagreement is not None:
        found["disagreement"] = np.nan_to_num(pool.disagreement.astype(np.float64), nan=0.0).clip(0, 1)
    if pool.hard is not None:
        found["hard"] = pool.hard.astype(np.float64).clip(0, 1) ** 2
    for worth in found.values():
        worth[pool.labelled] = 0
    return {name: worth for name, worth in found.items() if worth.any()}


def _by_strata(
    pool: Candidates,
    worth: npt.NDArray[np.float64],
    count: int,
    rng: np.random.Generator,
    known: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """Share rows out by the square root of a stratum's size, so that small ones are seen, too.

    Source: power allocation, Bankier, M. D. (1988), The American Statistician 42, 174-177.
    """
    if pool.strata is None:
        return choose_spread(pool.features, worth, count, rng, known)
    found = np.zeros(0, np.int64)
    sizes = np.bincount(pool.strata[worth > 0])
    order = np.argsort(sizes, kind="stable")
    shares = np.sqrt(sizes)
    for place, stratum in enumerate(order):
        if sizes[stratum]:
            part = round((count - len(found)) * shares[stratum] / shares[order[place:]].sum())
            mine = np.where(pool.strata == stratum, worth, 0.0)
            found = np.concatenate([found, choose_spread(pool.features, mine, part, rng, known)])
    return found
