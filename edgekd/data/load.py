"""Load a task's rows: read, name the columns, split, check, carve, look for shared texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa

from edgekd.config import Data
from edgekd.data import built_in
from edgekd.data.carve import carve_rows
from edgekd.data.check import check_rows, check_splits
from edgekd.data.class_reader import CLASSES
from edgekd.data.columns import make_column
from edgekd.data.files import read_rows, require_file
from edgekd.data.leaving_out import leave_out_shared, leave_out_unlabelled
from edgekd.data.normalise import normalise
from edgekd.data.rank_files import attach_candidates
from edgekd.data.reader import Reader
from edgekd.data.shared import SharedTexts, find_shared, refuse_shared
from edgekd.data.taskdata import SPLITS, TaskData
from edgekd.data.unlabelled import read_unlabelled
from edgekd.errors import ConfigError, DataError, MissingExtraError
from edgekd.hub import pin
from edgekd.store import digest_file

_ALIASES = {"val": "validation", "valid": "validation", "dev": "validation", "calib": "calibration"}
_OWN = ("id", "text", "label", "split")
_PLACE = "\0place"  # where a row is from; no column has this name, and no table gets it


@dataclass(frozen=True)
class _Place:
    """The file and row that a row is from, for people; with its id where the file has ids."""

    file: str
    row: int
    id: str | None

    def __str__(self) -> str:
        return f"{self.file} row {self.row}" + ("" if self.id is None else f" (id {self.id:.60})")


def describe_source(data: Data, folder: Path) -> dict[str, str]:
    """Say what the rows depend on: the digest of every file, or a name and version."""
    return {**_describe_rows(data, folder), **_digests(folder / path for path in data.unlabelled)}


def _describe_rows(data: Data, folder: Path) -> dict[str, str]:
    if data.source in built_in.NAMES:
        return built_in.digest_source(str(data.source))
    if isinstance(data.source, str) and data.source.startswith("hf:"):
        name, commit = _pin_source(data.source)
        if commit is not None:
            return {"hub": f"{name}@{commit}"}
        return _digests(sorted(path for path in Path(name).rglob("*") if path.is_file()))
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
    if data.source in built_in.NAMES:
        source = str(data.source)
        rows = built_in.generate_rows(source, data.options)
    elif isinstance(data.source, str) and data.source.startswith("hf:"):
        rows, source = _from_hub(data, folder, reader), data.source
    elif data.has_documents:
        rows, source = _from_documents(data, folder), _shown(data)
    else:
        rows, source = _from_files(data, folder, reader), _shown(data)
    if data.options and data.source not in built_in.NAMES:
        raise DataError("data.options belong to the built-in data; remove them")
    more = [folder / path for path in data.unlabelled]
    rows += read_unlabelled(more, rows, data.columns, tuple(reader.columns))
    rows = [{**reader.arrange(row, _where(row, source, n))} for n, row in enumerate(rows, start=1)]
    check_rows(rows, [_where(row, source, n) for n, row in enumerate(rows, start=1)], reader)
    forms = [normalise(row["text"]) for row in rows]
    rows, forms, dropped = leave_out_shared(rows, forms) if data.drop_shared_text else (rows, forms, 0)
    for name, carve in data.carve.items():
        rows = carve_rows(rows, forms, name, carve, reader, seed, source)
    rows, forms, unlabelled = leave_out_unlabelled(rows, forms)
    check_splits(rows, source)
    outputs = reader.find_outputs(rows, source)
    places = [_place(row) for row in rows]
    shared = find_shared(rows, forms, places, tuple(reader.columns), dropped, unlabelled)
    if not data.allow_shared_text:
        refuse_shared(shared, source)
    return TaskData(_as_table(rows, source, reader), outputs, reader), shared


def _place(row: Mapping[str, Any]) -> str:
    return str(row.get(_PLACE) or f"row {row['id']}")


def _where(row: Mapping[str, Any], source: str, number: int) -> str:
    """Name a row in an error: its file's name, its number there and its id."""
    place = row.get(_PLACE) or _Place(source, number, None)
    return f"{place.file}: row {place.row} (id {row['id']!s:.60})"


def _from_hub(data: Data, folder: Path, reader: Reader) -> list[dict[str, Any]]:
    try:
        import datasets
    except ImportError:
        raise MissingExtraError("datasets", "train") from None
    name, commit = _pin_source(str(data.source))
    try:
        loaded = datasets.load_dataset(name, revision=commit)
    except Exception as error:  # noqa: BLE001  the hub client raises many unrelated types
        words = " ".join(str(error).split())[:160]
        raise DataError(f"hf:{name}: cannot be loaded: {words}; check the name and the network") from None
    if not isinstance(loaded, Mapping):
        raise DataError(f"hf:{name}: has no splits; expected a data set with splits")
    rows = []
    for split, part in loaded.items():
        feature = part.features.get(data.columns.label)
        for row in part:
            label = row.get(data.columns.label)
            if hasattr(feature, "int2str") and isinstance(label, int) and label >= 0:
                row[data.columns.label] = feature.int2str(label)
            rows.append({**row, "split": split})
    return _named(rows, data, reader, f"hf:{name}", split_column="split")


def _pin_source(source: str) -> tuple[str, str | None]:
    """Return the name that follows `hf:` and the commit that it stands for; a folder has none."""
    name = source.removeprefix("hf:")
    if Path(name).is_dir():
        return name, None
    try:
        repository, _, commit = pin(name, "dataset").partition("@")
    except ConfigError as error:
        raise DataError(str(error)) from None
    return repository, commit


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
    paths = _paths(data, folder)
    found = read_rows(paths, as_text)
    for split, path in paths.items():
        part = found.pop(split)
        if split:
            part = [{**row, "split": split} for row in part]
        elif columns.split is None:
            raise DataError(
                f"{path}: one file needs data.columns.split, the column that names each row's split"
            )
        column = "split" if split else str(columns.split)
        prefix = f"{split}-" if split else ""
        rows += _named(part, data, reader, str(path), split_column=column, prefix=prefix)
    return rows


def _from_documents(data: Data, folder: Path) -> list[dict[str, Any]]:
    """Read the queries, then give each its candidates; queries of splits that are not used need none."""
    paths, columns = _paths(data, folder), data.columns
    names = tuple(name for name in (columns.text, columns.id, columns.split) if name)
    queries = read_rows({"queries": paths["queries"]}, names)["queries"]
    rows = _named(queries, data, None, str(paths["queries"]), split_column=str(columns.split))
    return attach_candidates(rows, paths, columns)


def _named(
    rows: list[dict[str, Any]],
    data: Data,
    reader: Reader | None,
    source: str,
    split_column: str,
    prefix: str = "",
) -> list[dict[str, Any]]:
    """Give the columns that the task reads their own names; without a reader, targets come from elsewhere."""
    columns = data.columns
    found = dict.fromkeys(name for row in rows for name in row)
    own = {"text": columns.text, "id": columns.id, "split": split_column}
    if reader is not None:
        own |= {name: columns.find(name) for name in reader.columns}
        # Where a row has more than its text, the target may stand with that: see `Reader.arrange`.
        own |= {} if reader.columns and columns.label not in found else {"label": columns.label}
    for key, column in own.items():
        if column is not None and column not in found:
            raise DataError(
                f"{source}: has no column '{column}' (data.columns.{key}); found: {', '.join(found)}"
            )
    splits, file = _split_names(data), Path(source).name
    named = []
    for number, row in enumerate(rows, start=1):
        value = str(row.get(split_column))
        if data.splits is not None and value not in splits:
            continue  # the project does not use it
        if value not in splits:
            raise DataError(
                f"{source}: row {number}: split '{value:.60}' is not known; map it in data.splits"
            )
        used = {*own.values(), *own, *_OWN}
        rest = {name: v for name, v in row.items() if name not in used}
        name = f"{prefix}{number}" if columns.id is None else _read_id(row.get(columns.id), source, number)
        given = {key: row.get(column) for key, column in own.items() if column is not None}
        own_values = {**dict.fromkeys(_OWN), **given, "id": name, "split": splits[value]}
        place = _Place(file, number, None if columns.id is None else name)
        named.append({**own_values, **rest, _PLACE: place})
    return named


def _read_id(value: Any, source: str, number: int) -> str:
    """Return an id as text: ids name rows, and none is computed with, however many digits one has."""
    if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
        return str(value)
    if value is None or value == "" or value != value:
        raise DataError(f"{source}: row {number}: column id is empty; give every row an id of its own")
    if isinstance(value, float | bytes | Decimal | date | UUID):
        return str(value)
    raise DataError(f"{source}: row {number}: column id must be text or a number, got {value!r:.60}")


def _split_names(data: Data) -> dict[str, str]:
    if data.splits is None:
        return {**{name: name for name in SPLITS}, **_ALIASES}
    return {value: name for name, values in data.splits.items() for value in values}


def _as_table(rows: list[dict[str, Any]], source: str, reader: Reader) -> pa.Table:
    names = [n for n in dict.fromkeys([*_OWN, *(name for row in rows for name in row)]) if n != _PLACE]
    columns = {name: [row.get(name) for row in rows] for name in names}
    columns["id"] = [str(v) for v in columns["id"]]
    kinds = {name: pa.string() for name in _OWN} | {"label": reader.kind, **reader.columns}
    try:
        return pa.table({name: make_column(values, kinds.get(name)) for name, values in columns.items()})
    except (pa.ArrowException, TypeError, OverflowError):
        raise _refuse_value(rows, kinds, source) from None


def _refuse_value(rows: list[dict[str, Any]], kinds: Mapping[str, pa.DataType], source: str) -> DataError:
    """Name the first value that its column cannot have, such as a number for an unlabelled row's label."""
    for number, row in enumerate(rows, start=1):
        for name, kind in kinds.items():
            try:
                pa.array([row.get(name)], kind)
            except (pa.ArrowException, TypeError, OverflowError):
                where = _where(row, source, number)
                return DataError(f"{where}: column {name} must be {kind}, got {row.get(name)!r:.60}")
    return DataError(f"{source}: holds values that no table can hold")
