"""Move rows to a split that the source does not have."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any

from edgekd.config import Carve
from edgekd.data.reader import Reader
from edgekd.errors import DataError
from edgekd.store import digest_bytes


def carve_rows(
    rows: Sequence[dict[str, Any]],
    forms: Sequence[str],
    name: str,
    carve: Carve,
    reader: Reader,
    seed: int,
    source: str,
) -> list[dict[str, Any]]:
    """Move the same share of each group of targets, chosen by the digest of its id.

    So it is stable when rows are added. The reader says which group a target is of. Rows of one text, by
    `forms`, go together, whatever their groups: they count for the group of the first. At least one text of
    each group stays.
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
    strata: dict[Hashable, list[list[int]]] = {}
    for members in texts.values():
        strata.setdefault(reader.stratum(rows[members[0]]["label"]), []).append(members)
    moved: set[int] = set()
    for groups in strata.values():
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
