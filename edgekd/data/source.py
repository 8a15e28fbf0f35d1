"""Where rows come from: built in, the hub, files. Read them, and say what they depend on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from edgekd.config import Data
from edgekd.data import built_in
from edgekd.data.files import read_rows, require_file
from edgekd.data.naming import name_rows
from edgekd.data.rank_files import attach_candidates
from edgekd.data.reader import Reader
from edgekd.errors import ConfigError, DataError, MissingExtraError
from edgekd.hub import pin
from edgekd.store import digest_file


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


def read_source(data: Data, folder: Path, reader: Reader) -> tuple[list[dict[str, Any]], str]:
    """Return the rows under the names that the task reads, and how people call where they are from."""
    if data.source in built_in.NAMES:
        source = str(data.source)
        return built_in.generate_rows(source, data.options), source
    if isinstance(data.source, str) and data.source.startswith("hf:"):
        return _from_hub(data, folder, reader), data.source
    if data.has_documents:
        return _from_documents(data, folder), _shown(data)
    return _from_files(data, folder, reader), _shown(data)


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
    return name_rows(rows, data, reader, f"hf:{name}", split_column="split")


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
        rows += name_rows(part, data, reader, str(path), split_column=column, prefix=prefix)
    return rows


def _from_documents(data: Data, folder: Path) -> list[dict[str, Any]]:
    """Read the queries, then give each its candidates; queries of splits that are not used need none."""
    paths, columns = _paths(data, folder), data.columns
    names = tuple(name for name in (columns.text, columns.id, columns.split) if name)
    queries = read_rows({"queries": paths["queries"]}, names)["queries"]
    rows = name_rows(queries, data, None, str(paths["queries"]), split_column=str(columns.split))
    return attach_candidates(rows, paths, columns)
