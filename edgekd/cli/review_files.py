"""The files that the verbs of `edgekd review` read: rows, judgments, raters' names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edgekd.curate.review.decide import Decision
from edgekd.curate.review.item import Item, Judgment, read_items
from edgekd.curate.review.label_studio import read_tasks
from edgekd.curate.review.sheet import read_sheet
from edgekd.data.files import read_rows, read_text
from edgekd.errors import BadInputError, DataError
from edgekd.stats.raters import Level
from edgekd.store import parse_json

_TEXT = ("id", "text", "answer", "slice", "arrived")


def find_level(name: str) -> Level:
    """Return a level of measurement by its name."""
    level: Level = name  # type: ignore[assignment]  # the command line allows no other
    return level


def read_filled(path: Path, needed: Sequence[str]) -> list[dict[str, Any]]:
    """Read rows and refuse those of which a needed column is empty."""
    rows = read_rows({"": path}, tuple(needed))[""]
    for number, row in enumerate(rows, start=1):
        for name in needed:
            if row.get(name) in (None, ""):
                raise DataError(
                    f"{path}: row {number}: '{name}' is empty; each row needs {', '.join(needed)}"
                )
    return rows


def read_item_file(path: Path) -> list[Item]:
    """Read the rows that wait for review."""
    return read_items(read_rows({"": path}, _TEXT)[""], str(path))


def read_judgments(files: Sequence[Path], raters: Path | None) -> list[Judgment]:
    """Read raters' judgments from filled sheets and exports of Label Studio."""
    names = {} if raters is None else _read_raters(raters)
    found: list[Judgment] = []
    for path in files:
        if path.suffix == ".csv":
            found += read_sheet(path, datetime.now(UTC))
        elif path.suffix == ".json":
            try:
                document = parse_json(read_text(path).encode())
            except ValueError as error:
                raise DataError(f"{path}: is not JSON: {' '.join(str(error).split())[:160]}") from None
            found += read_tasks(document, str(path), names)
        else:
            raise BadInputError(
                f"{path}: expected a filled sheet (.csv) or an export of Label Studio (.json)"
            )
    if not found:
        raise BadInputError(
            f"{', '.join(map(str, files))}: no judgment in it; nobody has looked at a row yet"
        )
    return found


def _read_raters(path: Path) -> dict[int, str]:
    names = {}
    for number, row in enumerate(read_filled(path, ("id", "name")), start=1):
        if not str(row["id"]).isdecimal():
            raise DataError(f"{path}: row {number}: id: expected a user's number, got {row['id']!r:.40}")
        names[int(row["id"])] = str(row["name"])
    return names


def check_known(decisions: Sequence[Decision], items: Mapping[str, Item], source: Path) -> list[Decision]:
    """Return decisions; refuse one of a row that is not there."""
    for one in decisions:
        if one.row not in items:
            raise DataError(f"{source}: has no row {one.row!r:.60}, of which there is a judgment")
    return list(decisions)


def rows_to_learn(decisions: Sequence[Decision], rows: Path) -> list[dict[str, Any]]:
    """Return decided rows with what is right as their label, and where that comes from."""
    items = {item.id: item for item in read_item_file(rows)}
    return [
        {
            **items[one.row].columns,
            "id": one.row,
            "text": items[one.row].text,
            "label": one.answer,
            "origin": "teacher" if one.answer == items[one.row].answer else "human_corrected",
            "decided": one.how,
        }
        for one in check_known(decisions, items, rows)
        if one.answer is not None
    ]
