"""Make the noisy twins of rows."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from edgekd.curate.twins.kinds import KINDS, Clean
from edgekd.curate.twins.telling import Telling, find_telling
from edgekd.data.normalise import normalise
from edgekd.data.taskdata import TaskData
from edgekd.errors import BadInputError, unknown_name

KIND, CLEAN = "twin", "twin_of"
"""Columns of a twin's row: its kind, and the id of the row that it is a twin of."""
_FEW = 4
"""Rows have targets of few kinds where each kind has as many rows as this, on average."""


@dataclass(frozen=True)
class Twins:
    """Twins of a split's rows.

    Attributes:
        rows: the twins, with the columns of the clean rows, KIND and CLEAN; the text alone differs.
        places: [twin] the clean row's place in its split.
        left_out: rows without a twin, by kind: their target may be another one, or the twin would be equal.
    """

    rows: TaskData
    places: npt.NDArray[np.int64]
    left_out: Mapping[str, int]

    def of(self, kind: str) -> npt.NDArray[np.bool_]:
        """Say which twins [twin] are of a kind."""
        return np.array([value == kind for value in self.rows.table[KIND].to_pylist()], np.bool_)


def make_twins(clean: TaskData, train: TaskData, kinds: Sequence[str] = tuple(KINDS), seed: int = 0) -> Twins:
    """Make a twin per kind of each row of a split; the same arguments give the same twins on any machine.

    `train` says which words tell a target, so that no twin loses them. A twin that would equal its text, and
    one whose target may be another one, is left out and counted.

    Raises:
        BadInputError: a kind is unknown.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise BadInputError(f"twins: {unknown_name('kind', kind, KINDS)}")
    telling, alike = _learn(train)
    columns = clean.table.to_pydict()
    rows: list[Mapping[str, Any]] = [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
    texts: list[str] = []
    names: list[str] = []
    places: list[int] = []
    left_out = dict.fromkeys(kinds, 0)
    for place, row in enumerate(rows):
        source = _describe(row, clean, telling, alike)
        for kind in kinds:
            rng = random.Random(f"{seed}:{row['id']}:{kind}")
            twin = KINDS[kind](source, rng)
            if twin is None or normalise(twin) == normalise(source.text):
                left_out[kind] += 1
                continue
            texts.append(twin)
            names.append(kind)
            places.append(place)
    taken = np.array(places, np.int64)
    table = clean.table.take(pa.array(taken))
    ids = [f"{name}~{kind}" for name, kind in zip(table["id"].to_pylist(), names, strict=True)]
    table = table.append_column(CLEAN, table["id"]) if CLEAN not in table.column_names else table
    table = table.set_column(table.column_names.index("id"), "id", pa.array(ids, pa.string()))
    table = table.set_column(table.column_names.index("text"), "text", pa.array(texts, pa.string()))
    if KIND in table.column_names:
        raise BadInputError(f"the rows have a column '{KIND}' already, which twins are named in; rename it")
    table = table.append_column(KIND, pa.array(names, pa.string()))
    return Twins(TaskData(table, clean.outputs, clean.reader), taken, left_out)


def _learn(train: TaskData) -> tuple[Telling, Mapping[Any, list[str]]]:
    """Learn which words tell targets, and list texts of each kind of target where there are few kinds."""
    targets = train.table["label"].to_pylist()
    strata = [train.reader.stratum(target) for target in targets]
    sizes = Counter(strata)
    if len(sizes) < 2 or len(strata) < _FEW * len(sizes) or train.reader.columns:
        return Telling(frozenset()), {}
    alike: dict[Any, list[str]] = {}
    for stratum, text in zip(strata, train.texts, strict=True):
        alike.setdefault(stratum, []).append(text)
    return find_telling(train.texts, strata), alike


def _describe(
    row: Mapping[str, Any], data: TaskData, telling: Telling, alike: Mapping[Any, list[str]]
) -> Clean:
    beside = [str(part) for name in data.reader.columns for part in _parts(row[name])]
    others: Sequence[str] = ()
    if alike and len(data.outputs) > 1:
        others = [name for name in data.outputs if name != row["label"]]
    mates = alike.get(data.reader.stratum(row["label"]), []) if alike else []
    return Clean(str(row["text"]), others, mates, telling.beside(beside) if beside else telling)


def _parts(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
