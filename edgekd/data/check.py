"""Refuse rows that no model should be trained or judged on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from edgekd.errors import DataError

_REQUIRED = ("train", "calibration", "validation", "test")


def check_rows(rows: Sequence[Mapping[str, Any]], source: str) -> None:
    """Check each row's id, text and label.

    Raises:
        DataError: naming the row and column of the first that is wrong.
    """
    seen: dict[str, int] = {}
    for number, row in enumerate(rows, start=1):
        name = str(row["id"])
        where = f"{source}: row {number} (id {name})"
        if name in seen:
            raise DataError(f"{where}: id is also that of row {seen[name]}; ids must be unique")
        seen[name] = number
        _check_text(row["text"], where)
        label = row["label"]
        if row["split"] != "unlabelled":
            if label is None or (isinstance(label, float) and math.isnan(label)) or not str(label).strip():
                raise DataError(f"{where}: column label is empty; only split 'unlabelled' may lack labels")
            if not isinstance(label, str):
                raise DataError(f"{where}: column label must be text, got {label!r}; quote it")


def _check_text(text: Any, where: str) -> None:
    if text is None or (isinstance(text, float) and math.isnan(text)):
        raise DataError(f"{where}: column text is empty (null or NaN); remove the row or fill it")
    if not isinstance(text, str):
        raise DataError(f"{where}: column text must be text, got {text!r}")
    if not text.strip():
        raise DataError(f"{where}: column text is empty; remove the row or fill it")


def check_splits(rows: Sequence[Mapping[str, Any]], source: str) -> tuple[str, ...]:
    """Check that every split has its rows and its labels; return the classes, sorted."""
    splits: dict[str, set[str]] = {}
    for row in rows:
        splits.setdefault(row["split"], set()).add(row["label"])
    for name in _REQUIRED:
        if name not in splits:
            hint = "" if name in ("train", "test") else f"; cut it from train with data.carve.{name}"
            raise DataError(f"{source}: split '{name}' has no rows{hint}")
    labels = tuple(sorted(splits["train"]))
    if len(labels) < 2:
        raise DataError(f"{source}: split 'train' has one class only ('{labels[0]}'); expected two or more")
    for name in ("calibration", "validation", "test"):
        strange = sorted(splits[name] - set(labels))
        if strange:
            raise DataError(
                f"{source}: label '{strange[0]}' is in split '{name}' but not in 'train'; "
                "add training rows for it or leave it out"
            )
    return labels
