"""Leave out rows whose text is judged on elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekd.data.shared import HELD_OUT

_Kept = tuple[list[dict[str, Any]], list[str], int]


def leave_out_shared(rows: Sequence[dict[str, Any]], forms: Sequence[str]) -> _Kept:
    """Leave out labelled rows of other splits whose text, by `forms`, is a test row's; say how many."""
    test = {form for row, form in zip(rows, forms, strict=True) if row["split"] == "test"}
    return _without(
        rows, forms, [_is_other(row) and form in test for row, form in zip(rows, forms, strict=True)]
    )


def leave_out_unlabelled(rows: Sequence[dict[str, Any]], forms: Sequence[str]) -> _Kept:
    """Leave out unlabelled rows whose text a calibration, validation or test row has; say how many."""
    held_out = {form for row, form in zip(rows, forms, strict=True) if row["split"] in HELD_OUT}
    goes = [row["split"] == "unlabelled" and form in held_out for row, form in zip(rows, forms, strict=True)]
    return _without(rows, forms, goes)


def _is_other(row: dict[str, Any]) -> bool:
    return row["split"] not in ("test", "unlabelled")


def _without(rows: Sequence[dict[str, Any]], forms: Sequence[str], goes: Sequence[bool]) -> _Kept:
    stays = [place for place, leaves in enumerate(goes) if not leaves]
    return [rows[place] for place in stays], [forms[place] for place in stays], sum(goes)
