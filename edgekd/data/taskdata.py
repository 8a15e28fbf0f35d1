"""The rows of one task, checked and split."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from edgekd.data.class_reader import CLASSES
from edgekd.data.reader import Reader, Targets
from edgekd.store import digest_bytes, write_atomic

SPLITS = ("train", "unlabelled", "calibration", "validation", "test")


@dataclass(frozen=True)
class TaskData:
    """Checked rows.

    `table` has the columns `id`, `text`, `label` (the target; null only where unlabelled) and `split`
    (one of SPLITS), then the source's own columns. `outputs` name what a model of the task puts out:
    where targets are classes, those of the train split, sorted. `reader` knows what a target is.
    """

    table: pa.Table
    outputs: tuple[str, ...]
    reader: Reader = CLASSES

    @cached_property
    def digest(self) -> str:
        """Digest of every value of every row, in order."""
        rows = "\n".join(
            json.dumps(row, sort_keys=True, default=str, ensure_ascii=False) for row in self.table.to_pylist()
        )
        return digest_bytes(rows.encode())

    def split(self, name: str) -> TaskData:
        """Take the rows of one split, in their order."""
        if name not in self._taken:
            mask = pa.array([value == name for value in self.table["split"].to_pylist()])
            self._taken[name] = TaskData(self.table.filter(mask), self.outputs, self.reader)
        return self._taken[name]

    @cached_property
    def _taken(self) -> dict[str, TaskData]:
        """The splits that were taken: stages ask for their digests again and again."""
        return {}

    @cached_property
    def masks(self) -> dict[str, npt.NDArray[np.bool_]]:
        """Masks [row] of predicates that were asked for, by predicate; see `edgekd.data.slices`."""
        return {}

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def texts(self) -> list[str]:
        """The messages."""
        return [str(text) for text in self.table["text"].to_pylist()]

    @property
    def requests(self) -> list[str]:
        """What a model is asked for each row, as one string; see `Reader.request`."""
        asked = self.table.select(["text", *self.reader.columns])
        return [self.reader.request(row) for row in asked.to_pylist()]

    @property
    def ids(self) -> list[str]:
        """The rows' names."""
        return [str(name) for name in self.table["id"].to_pylist()]

    @property
    def targets(self) -> Targets:
        """What is right for each row as a number, shape [row]; see `Reader.encode`."""
        return self.reader.encode(self.table["label"].to_pylist(), self.outputs)

    @property
    def classes(self) -> npt.NDArray[np.int64]:
        """Class index of each row, shape [row], where targets are classes; -1 where unlabelled."""
        return self.targets.astype(np.int64)

    def counts(self) -> Mapping[str, int]:
        """Rows of each split that has any."""
        values = self.table["split"].to_pylist()
        return {name: n for name in SPLITS if (n := values.count(name))}


def save_data(data: TaskData, folder: Path) -> None:
    """Write the rows to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        pa.OSFile(str(folder / "rows.arrow"), "wb") as sink,
        pa.ipc.new_file(sink, data.table.schema) as file,
    ):
        file.write_table(data.table)
    write_atomic(folder / "data.json", json.dumps({"labels": data.outputs, "digest": data.digest}, indent=1))


def open_data(folder: Path, reader: Reader = CLASSES) -> TaskData:
    """Read the rows that `save_data` wrote, memory-mapped."""
    notes: dict[str, Any] = json.loads((folder / "data.json").read_text(encoding="utf-8"))
    with pa.memory_map(str(folder / "rows.arrow")) as source:
        table = pa.ipc.open_file(source).read_all()
    data = TaskData(table, tuple(notes["labels"]), reader)
    data.__dict__["digest"] = notes["digest"]  # computed when it was written
    return data
