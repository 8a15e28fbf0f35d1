"""More text for the teacher to label, from files of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekd.data.files import read_table
from edgekd.data.normalise import normalise
from edgekd.errors import DataError

_TAKEN = ("train", "unlabelled")


def read_unlabelled(
    paths: Iterable[Path], rows: Sequence[Mapping[str, Any]], *, text: str, split: str | None
) -> list[dict[str, Any]]:
    """Read the column `text` of each file as rows of the split `unlabelled`.

    Where a file has the column `split`, only its rows of `train` and `unlabelled` are read: it may be a
    data set of its own, whose other rows are to stay unseen. A text that `rows` hold already to learn from is
    left out, and one that a file repeats, each by its normalised form; those that students are judged on are
    left out with all other rows, later (`edgekd.data.leaving_out`).
    """
    known = {
        normalise(row["text"]) for row in rows if isinstance(row["text"], str) and row["split"] in _TAKEN
    }
    found: list[dict[str, Any]] = []
    stems: set[str] = set()
    for place, path in enumerate(paths, start=1):
        stem = path.name.partition(".")[0]
        stem = f"{stem}.{place}" if stem in stems else stem
        stems.add(stem)
        table = read_table(path, tuple(name for name in (text, split) if name))
        if text not in table.column_names:
            names = ", ".join(table.column_names)
            raise DataError(f"{path}: has no column '{text}' (data.columns.text); found: {names}")
        splits = table[split].to_pylist() if split in table.column_names else [_TAKEN[0]] * table.num_rows
        for number, (value, part) in enumerate(zip(table[text].to_pylist(), splits, strict=True), start=1):
            if part not in _TAKEN:
                continue
            form = normalise(value) if isinstance(value, str) else None  # what is no text is refused later
            if form is None or form not in known:
                known |= set() if form is None else {form}
                row = {"id": f"{stem}-{number}", "text": value, "label": None, "split": "unlabelled"}
                found.append(row)
    return found
