"""`bench.json`: a result without its raw samples, which lie beside it."""

from __future__ import annotations

import dataclasses
import json
import os
import types
import typing
from pathlib import Path
from typing import Any

from edgekd.errors import BadInputError, naming
from edgekd.measure.result import BenchResult

FILE_NAME = "bench.json"
FORMAT_VERSION = 4
_MOST = 1e300


def save_bench(result: BenchResult) -> None:
    """Write `bench.json` into the result's folder; at any moment the file is the old one or the new one."""
    document = dataclasses.asdict(result)
    del document["folder"]
    temporary = result.folder / f"{FILE_NAME}.tmp"
    with naming(temporary), temporary.open("w", encoding="utf-8") as file:
        json.dump({"format": FORMAT_VERSION, **document}, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(result.folder / FILE_NAME)


def load_bench(folder: Path) -> BenchResult:
    """Read a result; raises BadInputError for a file that is not one."""
    path = folder / FILE_NAME
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadInputError(
            f"{path}: not found; measure first, or name the folder of a measurement"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise BadInputError(f"{path}: not readable as JSON ({error}); measure again") from error
    found = document.pop("format", None) if isinstance(document, dict) else None
    if found != FORMAT_VERSION:
        raise BadInputError(f"{path}: expected format {FORMAT_VERSION}, found {found!r:.40}; measure again")
    result = _read(BenchResult, {**document, "folder": folder}, str(path))
    assert isinstance(result, BenchResult)
    return result


def _read(kind: Any, value: Any, where: str) -> Any:
    """Turn parsed JSON into `kind`: a dataclass, a tuple, an optional or a plain value."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        later = {f.name for f in dataclasses.fields(kind) if f.default is not dataclasses.MISSING}
        if not isinstance(value, dict) or (value.keys() ^ hints.keys()) - (later - value.keys()):
            keys = sorted(hints.keys() ^ value.keys()) if isinstance(value, dict) else type(value).__name__
            raise BadInputError(f"{where}: not a {kind.__name__} as written by this version ({keys!s:.100})")
        given = {key: _read(hints[key], value[key], f"{where}: {key}") for key in hints if key in value}
        return kind(**given)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple and isinstance(value, list):
        kinds = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
        if len(kinds) == len(value):
            return tuple(_read(part, item, where) for part, item in zip(kinds, value, strict=True))
    elif origin is types.UnionType:
        if value is None and type(None) in arguments:
            return None
        return _read(next(part for part in arguments if part is not type(None)), value, where)
    elif kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        if abs(value) < _MOST:  # neither NaN nor infinite, and of digits that Python prints
            return float(value)
        raise BadInputError(f"{where}: expected a finite number; measure again")
    elif kind is int and isinstance(value, int) and not abs(value) < _MOST:
        raise BadInputError(f"{where}: expected a number of less digits; measure again")
    elif isinstance(kind, type) and isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    raise BadInputError(f"{where}: expected {kind}, got {str(value)[:80]!r}; measure again")
