"""Load a task's rows: read, name the columns, split, check, carve, look for shared texts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from edgekd.config import Data
from edgekd.data.carve import carve_rows
from edgekd.data.check import check_rows, check_splits
from edgekd.data.class_reader import CLASSES
from edgekd.data.files import read_table, require_file
from edgekd.data.leaving_out import leave_out_shared, leave_out_unlabelled
from edgekd.data.normalise import normalise
from edgekd.data.reader import Reader
from edgekd.data.shared import SharedTexts, find_shared, refuse_shared
from edgekd.data.taskdata import SPLITS, TaskData
from edgekd.data.unlabelled import read_unlabelled
from edgekd.errors import DataError, MissingExtraError
from edgekd.store import digest_file

_ALIASES = {"val": "validation", "valid": "validation", "dev": "validation", "calib": "calibration"}
_OWN = ("id", "text", "label", "split")
_PLACE = "\0place"  # file and row, for people; no column has this name, and no table gets it


def describe_source(data: Data, folder: Path) -> dict[str, str]:
    """Say what the rows depend on: the digest of every file, or a name and version."""
    return {**_describe_rows(data, folder), **_digests(folder / path for path in data.unlabelled)}


def _describe_rows(data: Data, folder: Path) -> dict[str, str]:
    if data.source == "mangaassist":
        from edgekd.data import mangaassist

        folder = Path(mangaassist.__file__).parent
        files = sorted(f for f in folder.rglob("*") if f.is_file() and "__pycache__" not in f.parts)
        return {str(f.relative_to(folder)): digest_file(f) for f in files}
    if isinstance(data.source, str) and data.source.startswith("hf:"):
        return {"hub": data.source}
    return _digests(_paths(data, folder).values())


def _digests(paths: Iterable[Path]) -> dict[str, str]:
    found = {}
    for path in paths:
        require_file(path)
        found[str(path)] = digest_file(path)
    return found


def load_data(data: Data, folder: Path, seed: int = 0, reader: Reader = CLASSES) -> TaskData:
    """Load and check the rows; `folder` is where relative paths start.

    Raises:
        DataError: with the file, row and column that is wrong.
    """
    return load_and_compare(data, folder, seed, reader)[0]


def load_and_compare(
    data: Data, folder: Path, seed: int = 0, reader: Reader = CLASSES
) -> tuple[TaskData, SharedTexts]:
    """Load and check the rows, and say which texts stand in more than one place.

    Raises:
        DataError: as of `load_data`; also if a test row has the text of a row of another split, unless the
            project allows it or leaves such rows out.
    """
    if data.source == "mangaassist":
        rows, source = _built_in(data.options), "mangaassist"
    elif isinstance(data.source, str) and data.source.startswith("hf:"):
        rows, source = _from_hub(data), data.source
    else:
        rows, source = _from_files(data, folder, reader), _shown(data)
    if data.options and data.source != "mangaassist":
        raise DataError("data.options belong to the built-in data; remove them")
    more = [folder / path for path in data.unlabelled]
    rows += read_unlabelled(more, rows, text=data.columns.text, split=data.columns.split or "split")
    check_rows(rows, source, reader)
    forms = [normalise(row["text"]) for row in rows]
    rows, forms, dropped = leave_out_shared(rows, forms) if data.drop_shared_text else (rows, forms, 0)
    for name, carve in data.carve.items():
        rows = carve_rows(rows, forms, name, carve, reader, seed, source)
    rows, forms, unlabelled = leave_out_unlabelled(rows, forms)
    check_splits(rows, source)
    outputs = reader.find_outputs(rows, source)
    places = [row.get(_PLACE) or f"row {row['id']}" for row in rows]
    shared = find_shared(rows, forms, places, dropped, unlabelled)
    if not data.allow_shared_text:
        refuse_shared(shared, source)
    return TaskData(_as_table(rows, reader), outputs, reader), shared


def _built_in(options: dict[str, int]) -> list[dict[str, Any]]:
    from edgekd.data import mangaassist

    try:
        table = mangaassist.generate(**options)
    except TypeError as error:
        raise DataError(f"data.options: {error}; see edgekd.data.mangaassist.plan.Sizes") from None
    rows: list[dict[str, Any]] = table.to_pylist()
    return [{**row, "label": row.pop("intent")} for row in rows]


def _from_hub(data: Data) -> list[dict[str, Any]]:
    try:
        import datasets
    except ImportError:
        raise MissingExtraError("datasets", "train") from None
    name = str(data.source).removeprefix("hf:")
    try:
        loaded = datasets.load_dataset(name)
    except Exception as error:  # noqa: BLE001  the hub client raises many unrelated types
        words = " ".join(str(error).split())[:160]
        raise DataError(f"hf:{name}: cannot be loaded: {words}; check the name and the network") from None
    rows = []
    for split, part in loaded.items():
        feature = part.features.get(data.columns.label)
        for row in part:
            if hasattr(feature, "int2str") and row.get(data.columns.label, -1) >= 0:
                row[data.columns.label] = feature.int2str(row[data.columns.label])
            rows.append({**row, "split": split})
    return _named(rows, data, f"hf:{name}", split_column="split")


def _paths(data: Data, folder: Path) -> dict[str, Path]:
    if isinstance(data.source, str):
        return {"": folder / data.source}
    return {split: folder / path for split, path in data.source.items()}


def _shown(data: Data) -> str:
    return data.source if isinstance(data.source, str) else ", ".join(data.source.values())


def _from_files(data: Data, folder: Path, reader: Reader) -> list[dict[str, Any]]:
    columns = data.columns
    as_text = tuple(c for c in (columns.text, columns.id, columns.split) if c)
    as_text += (columns.label,) if reader.kind == pa.string() else ()
    rows: list[dict[str, Any]] = []
    for split, path in _paths(data, folder).items():
        part = read_table(path, as_text).to_pylist()
        if split:
            part = [{**row, "split": split} for row in part]
        elif columns.split is None:
            raise DataError(
                f"{path}: one file needs data.columns.split, the column that names each row's split"
            )
        column = "split" if split else str(columns.split)
        rows += _named(part, data, str(path), split_column=column, prefix=f"{split}-" if split else "")
    return rows


def _named(
    rows: list[dict[str, Any]], data: Data, source: str, split_column: str, prefix: str = ""
) -> list[dict[str, Any]]:
    columns = data.columns
    found = list(rows[0])
    for key, column in (
        ("text", columns.text),
        ("label", columns.label),
        ("id", columns.id),
        ("split", split_column),
    ):
        if column is not None and column not in found:
            raise DataError(
                f"{source}: has no column '{column}' (data.columns.{key}); found: {', '.join(found)}"
            )
    splits, file = _split_names(data), Path(source).name
    named = []
    for number, row in enumerate(rows, start=1):
        value = str(row[split_column])
        if data.splits is not None and value not in splits:
            continue  # the project does not use it
        if value not in splits:
            raise DataError(f"{source}: row {number}: split '{value}' is not known; map it in data.splits")
        used = {columns.text, columns.label, columns.id, split_column}
        rest = {name: v for name, v in row.items() if name not in used and name not in _OWN}
        name = f"{prefix}{number}" if columns.id is None else row[columns.id]
        own = {"id": name, "text": row[columns.text], "label": row[columns.label], "split": splits[value]}
        shown = "" if columns.id is None else f" (id {name})"
        named.append({**own, **rest, _PLACE: f"{file} row {number}{shown}"})
    return named


def _split_names(data: Data) -> dict[str, str]:
    if data.splits is None:
        return {**{name: name for name in SPLITS}, **_ALIASES}
    return {value: name for name, values in data.splits.items() for value in values}


def _as_table(rows: list[dict[str, Any]], reader: Reader) -> pa.Table:
    names = [n for n in dict.fromkeys([*_OWN, *(name for row in rows for name in row)]) if n != _PLACE]
    columns = {name: [row.get(name) for row in rows] for name in names}
    columns["id"] = [str(v) for v in columns["id"]]
    kinds = {name: pa.string() for name in _OWN} | {"label": reader.kind}
    return pa.table({n: pa.array(v, kinds.get(n)) for n, v in columns.items()})
