"""More text for the teacher to label, from files of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekd.config import Columns
from edgekd.data.files import read_table
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
        table = read_table(path, (text, split))
        for key, column in {"text": text, **names}.items():
            if column not in table.column_names:
                found_names = ", ".join(table.column_names)
                raise DataError(
                    f"{path}: has no column '{column}' (data.columns.{key}); found: {found_names}"
                )
        splits = table[split].to_pylist() if split in table.column_names else [_TAKEN[0]] * table.num_rows
        own = table.select([text, *names.values()]).to_pylist()
        for number, (entry, part) in enumerate(zip(own, splits, strict=True), start=1):
            value = entry[text]
            if part not in _TAKEN:
                continue
            form = normalise(value) if isinstance(value, str) else None  # what is no text is refused later
            if form is None or form not in known:
                known |= set() if form is None else {form}
                row = {"id": f"{stem}-{number}", "text": value, "label": None, "split": "unlabelled"}
                found.append({**row, **{name: entry[column] for name, column in names.items()}})
    return found
