"""Targets that are classes: each row has one label of a known few."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from edgekd.data.reader import Targets
from edgekd.errors import DataError


class ClassReader:
    """Reads labels, which are text; the outputs are the classes of the training rows, sorted."""

    kind: pa.DataType = pa.string()
    columns: Mapping[str, pa.DataType] = {}

    def request(self, row: Mapping[str, Any]) -> str:
        """A model is asked the text."""
        return str(row["text"])

    def arrange(self, row: Mapping[str, Any], where: str) -> Mapping[str, Any]:
        """Return the row as it is."""
        return row

    def check(self, target: Any, where: str) -> None:
        """Refuse an empty label, and one that is no text."""
        if target is None or (isinstance(target, float) and math.isnan(target)) or not str(target).strip():
            raise DataError(f"{where}: column label is empty; only split 'unlabelled' may lack labels")
        if not isinstance(target, str):
            raise DataError(f"{where}: column label must be text, got {target!r:.60}; quote it")

    def find_outputs(self, rows: Sequence[Mapping[str, Any]], source: str) -> tuple[str, ...]:
        """Name the classes; every class of another split must be one of them."""
        splits: dict[str, set[str]] = {}
        for row in rows:
            splits.setdefault(row["split"], set()).add(row["label"])
        labels = tuple(sorted(splits["train"]))
        if len(labels) < 2:
            raise DataError(
                f"{source}: split 'train' has one class only ('{labels[0]:.60}'); expected two or more"
            )
        for name in ("calibration", "validation", "test"):
            strange = sorted(splits[name] - set(labels))
            if strange:
                raise DataError(
                    f"{source}: label '{strange[0]:.60}' is in split '{name}' but not in 'train'; "
                    "add training rows for it or leave it out"
                )
        return labels

    def stratum(self, target: Any) -> str:
        """Each class is a group of its own."""
        return str(target)

    def encode(self, targets: Sequence[Any], outputs: Sequence[str]) -> Targets:
        """Return the index of each label among the outputs; -1 without one."""
        index = {label: i for i, label in enumerate(outputs)}
        return np.array([-1 if target is None else index[target] for target in targets], dtype=np.int64)

    def is_known(self, targets: Targets) -> npt.NDArray[np.bool_]:
        """Say which rows have a label."""
        return np.asarray(targets >= 0)

    def describe(self, train: Targets, outputs: Sequence[str]) -> str:
        """Count the classes, and the rows of the smallest."""
        counts = np.bincount(train.astype(np.int64), minlength=len(outputs))
        place = int(counts.argmin())
        fewest = f"'{outputs[place]}': {int(counts[place]):,}"
        return f"classes: {len(outputs)}; the fewest training rows has {fewest}"


CLASSES = ClassReader()
