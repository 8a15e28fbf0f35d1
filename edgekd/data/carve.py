"""Move rows to a split that the source does not have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from edgekd.config import Carve
from edgekd.errors import DataError
from edgekd.store import digest_bytes


def carve_rows(
    rows: Sequence[dict[str, Any]], forms: Sequence[str], name: str, carve: Carve, seed: int, source: str
) -> list[dict[str, Any]]:
    """Move the same share of each class, chosen by the digest of its id: stable when rows are added.

    Rows of one text, by `forms`, go together, whatever their classes: they count for the class of the first.
    At least one text of each class stays.
    """
    texts: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        if row["split"] == carve.take:
            texts.setdefault(forms[place], []).append(place)
    if not texts:
        found = ", ".join(sorted({str(row["split"]) for row in rows}))
        raise DataError(
            f"{source}: data.carve.{name} takes from '{carve.take}', which has no rows; "
            f"take from one of: {found}"
        )
    by_class: dict[Any, list[list[int]]] = {}
    for members in texts.values():
        by_class.setdefault(rows[members[0]]["label"], []).append(members)
    moved: set[int] = set()
    for groups in by_class.values():
        order = sorted(groups, key=lambda members: _lot(rows, members, seed))
        wanted, count = math.ceil(carve.share * sum(map(len, groups))), 0
        for members in order[:-1]:
            if count >= wanted:
                break
            moved.update(members)
            count += len(members)
    return [{**row, "split": name} if place in moved else row for place, row in enumerate(rows)]


def _lot(rows: Sequence[dict[str, Any]], members: Sequence[int], seed: int) -> str:
    return min(digest_bytes(f"{seed}:{rows[place]['id']}".encode()) for place in members)
