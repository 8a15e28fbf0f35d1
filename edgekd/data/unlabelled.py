"""More text for the teacher to label, from files of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekd.config import Columns
from edgekd.data.files import read_rows
from edgekd.data.normalise import normalise
from edgekd.errors import DataError

_TAKEN = ("train", "unlabelled")


def read_unlabelled(
    paths: Iterable[Path], rows: Sequence[Mapping[str, Any]], columns: Columns, further: Sequence[str]
) -> list[dict[str, Any]]:
    """Read the text of each file as rows of the split `unlabelled`, with those `further` columns of the task.

    Where a file has the split column, only its rows of `train` and `unlabelled` are read: it may be a
    data set of its own, whose other rows are to stay unseen. A text that `rows` hold already to learn from is
    left out, and one that a file repeats, each by its normalised form; those that students are judged on are
    left out with all other rows, later (`edgekd.data.leaving_out`).
    """
    text, split = columns.text, columns.split or "split"
    names = {name: columns.find(name) for name in further}
    known = {
        normalise(row["text"]) for row in rows if isinstance(row["text"], str) and row["split"] in _TAKEN
    }
    found: list[dict[str, Any]] = []
    stems: set[str] = set()
    for place, path in enumerate(paths, start=1):
        stem = path.name.partition(".")[0]
        stem = f"{stem}.{place}" if stem in stems else stem
        stems.add(stem)
        entries = read_rows({"": path}, (text, split))[""]
        columns_found = dict.fromkeys(name for entry in entries for name in entry)
        for key, column in {"text": text, **names}.items():
            if column not in columns_found:
                names_found = ", ".join(columns_found)
                raise DataError(
                    f"{path}: has no column '{column}' (data.columns.{key}); found: {names_found}"
                )
        for number, entry in enumerate(entries, start=1):
            value = entry.get(text)
            if split in columns_found and entry.get(split) not in _TAKEN:
                continue
            form = normalise(value) if isinstance(value, str) else None  # what is no text is refused later
            if form is None or form not in known:
                known |= set() if form is None else {form}
                row = {"id": f"{stem}-{number}", "text": value, "label": None, "split": "unlabelled"}
                found.append({**row, **{name: entry.get(column) for name, column in names.items()}})
    return found
