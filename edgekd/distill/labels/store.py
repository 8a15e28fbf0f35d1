"""Soft labels of one teacher, kept by content: a text that was labelled once is never labelled again.

A folder of shards and a lock. Shards are only ever added, each under the lock and without the rows
that another process has added meanwhile: so no row is there twice. What another machine labelled is
added by copying its shards into the folder; where two then hold the same text, the one whose name
sorts first counts.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from edgekd.distill.labels.shard import (
    KEY_BYTES,
    Keys,
    Shard,
    ShardRows,
    open_shard,
    remove_leftovers,
    text_keys,
    write_shard,
)
from edgekd.distill.labels.stored import StoredOutputs
from edgekd.errors import DataError
from edgekd.store import locked


class Beside(NamedTuple):
    """What is kept beside a text's outputs: what they rest on, tags, and what computed them."""

    evidence: tuple[str, ...]
    tags: tuple[str, ...]
    labeller: str


class LabelStore:
    """The soft labels of one teacher, `width` outputs per text; safe for many processes at once.

    Opening verifies every shard against its name, once a process, at the speed of sha256 (over
    1 GB/s on a core with SHA instructions), and holds 24 bytes a row in memory; the rest is mapped.

    Raises:
        DataError: naming the shard that is damaged or not of this store.
    """

    def __init__(self, folder: Path, teacher: str, width: int) -> None:
        self.folder, self.teacher, self.width = folder, teacher, width
        folder.mkdir(parents=True, exist_ok=True)
        self._shards: list[Shard] = []
        self._names: set[str] = set()
        self._starts: list[int] = [0]
        new = self._read_new()
        keys = np.concatenate([np.empty(0, f"S{KEY_BYTES}"), *(shard.keys for shard in new)])
        self._order = np.argsort(keys, kind="stable")
        self._sorted = keys[self._order]
        self._later: dict[bytes, int] = {}

    def __len__(self) -> int:
        return self._starts[-1]

    @property
    def shards(self) -> tuple[Shard, ...]:
        """The shards seen so far."""
        return tuple(self._shards)

    def refresh(self) -> None:
        """Look for what other processes have added."""
        self._note(self._read_new())

    def has(self, keys: Keys) -> npt.NDArray[np.bool_]:
        """Tell of which keys there are rows."""
        return self._find(keys) >= 0

    def keys(self, texts: Sequence[str]) -> Keys:
        """Return the texts' keys."""
        return text_keys(self.teacher, texts)

    def add(self, rows: ShardRows, labeller: Mapping[str, Any]) -> int:
        """Add rows for good, less those that are there; returns how many were added.

        `labeller` says what computed them, by `name` at least. A kill at any moment leaves all or none.
        """
        with locked(self.folder / ".lock"):
            remove_leftovers(self.folder)
            self.refresh()
            _, first = np.unique(rows.keys, return_index=True)
            fresh = first[~self.has(rows.keys[first])]
            if len(fresh):
                path = write_shard(self.folder, self.teacher, rows.take(fresh), labeller)
                self._note([self._open(path)])
        return len(fresh)

    def read(self, texts: Sequence[str], temperature: float | None) -> StoredOutputs:
        """Give the outputs of texts, in their order, for the softmax at a temperature; None for no softmax.

        Raises:
            DataError: if a text has no label.
            ConfigError: if the labels are not kept for this temperature.
        """
        rows = self._rows(texts)
        numbers = np.searchsorted(self._starts, rows, side="right") - 1
        places = rows - np.array(self._starts)[numbers]
        return StoredOutputs([shard.kept for shard in self._shards], numbers, places, self.width, temperature)

    def beside(self, texts: Sequence[str]) -> list[Beside]:
        """Give what is kept beside the outputs of texts, in their order."""
        found = []
        for row in self._rows(texts).tolist():
            number = int(np.searchsorted(self._starts, row, side="right")) - 1
            shard, place = self._shards[number], row - self._starts[number]
            evidence, tags = (tuple(shard.batch.column(name)[place].as_py()) for name in ("evidence", "tags"))
            found.append(Beside(evidence, tags, shard.labeller["name"]))
        return found

    def labellers(self) -> list[dict[str, Any]]:
        """Tell what labelled, with what is known of it, and how many rows are by each."""
        counts: Counter[str] = Counter()
        for shard in self._shards:
            counts[json.dumps(dict(shard.labeller), sort_keys=True)] += len(shard.keys)
        found = [{**json.loads(labeller), "rows": rows} for labeller, rows in counts.items()]
        return sorted(found, key=lambda one: (one["name"], one["rows"]))

    def _rows(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        rows = self._find(self.keys(texts))
        missing = np.flatnonzero(rows < 0)
        if len(missing):
            raise DataError(
                f"{self.folder}: {len(missing)} of {len(texts)} texts have no label, the first is "
                f"{texts[missing[0]]!r:.60}; run edgekd label again"
            )
        return rows

    def _find(self, keys: Keys) -> npt.NDArray[np.int64]:
        found = np.full(len(keys), -1, dtype=np.int64)
        if len(self._sorted):
            place = np.minimum(np.searchsorted(self._sorted, keys), len(self._sorted) - 1)
            found = np.where(self._sorted[place] == keys, self._order[place], -1)
        if self._later:
            for i in np.flatnonzero(found < 0).tolist():
                found[i] = self._later.get(bytes(keys[i]), -1)
        return found

    def _read_new(self) -> list[Shard]:
        paths = sorted(self.folder.glob("*.arrow"))
        return [self._open(path) for path in paths if path.name not in self._names]

    def _open(self, path: Path) -> Shard:
        shard = open_shard(path, self.teacher, self.width)
        self._shards.append(shard)
        self._names.add(path.name)
        self._starts.append(self._starts[-1] + len(shard.keys))
        return shard

    def _note(self, shards: list[Shard]) -> None:
        start = self._starts[-1] - sum(len(shard.keys) for shard in shards)
        for shard in shards:
            for place, key in enumerate(shard.keys.tolist(), start):
                self._later.setdefault(key, place)
            start += len(shard.keys)
