"""Refuse rows that no model should be trained or judged on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from edgekd.data.reader import Reader
from edgekd.errors import DataError

_REQUIRED = ("train", "calibration", "validation", "test")


def check_rows(rows: Sequence[Mapping[str, Any]], places: Sequence[str], reader: Reader) -> None:
    """Check each row's id, text and target; `places` name each row's file, number and id.

    Raises:
        DataError: naming the row and column of the first that is wrong.
    """
    seen: dict[str, str] = {}
    for row, where in zip(rows, places, strict=True):
        name = str(row["id"])
        if name in seen:
            raise DataError(f"{where}: id is also that of {seen[name]}; ids must be unique")
        seen[name] = where
        _check_text(row["text"], where)
        if row["split"] != "unlabelled":
            reader.check(row["label"], where)


def _check_text(text: Any, where: str) -> None:
    if text is None or (isinstance(text, float) and math.isnan(text)):
        raise DataError(f"{where}: column text is empty (null or NaN); remove the row or fill it")
    if not isinstance(text, str):
        raise DataError(f"{where}: column text must be text, got {text!r:.60}")
    if not text.strip():
        raise DataError(f"{where}: column text is empty; remove the row or fill it")


def check_splits(rows: Sequence[Mapping[str, Any]], source: str) -> None:
    """Check that every split that is needed has rows.

    Raises:
        DataError: naming the one that has none.
    """
    found = {row["split"] for row in rows}
    for name in _REQUIRED:
        if name not in found:
            hint = "" if name in ("train", "test") else f"; cut it from train with data.carve.{name}"
            raise DataError(f"{source}: split '{name}' has no rows{hint}")
