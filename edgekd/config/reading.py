"""Read YAML files into configuration models, with one-line errors."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from edgekd.config.document import DocumentError, check_texts, parse_document
from edgekd.errors import ConfigError
from edgekd.resources import find_resource

if TYPE_CHECKING:
    from edgekd.config.model import Model
    from edgekd.config.project import Project
    from edgekd.config.ranges import ModelRange
    from edgekd.config.target import Target

_M = TypeVar("_M")


def load_project(path: Path, settings: Sequence[str] = ()) -> Project:
    """Read a project file; `settings` are `key.sub=value` overrides, values in YAML."""
    from edgekd.config.project import Project

    document = _read_yaml(path)
    for setting in settings:
        _override(document, setting)
    return validate(TypeAdapter(Project), document, str(path))


def load_target(name: str, folder: Path | None = None) -> Target:
    """Read the target file `name`; the user's own ./targets come first."""
    from edgekd.config.target import Target

    path = find_resource("targets", name, folder)
    target = validate(TypeAdapter(Target), _read_yaml(path), str(path))
    _check_name(target.name, path)
    return target


def load_model(name: str, folder: Path | None = None) -> Model:
    """Read the model file `name`; the user's own ./models come first.

    Raises:
        ConfigError: it is not right, or its keys have ranges, so that it stands for many models.
    """
    from edgekd.config.ranges import ModelRange

    found = load_model_or_range(name, folder)
    if isinstance(found, ModelRange):
        keys = [*found.axes, *found.compiled.model_fields_set]
        raise ConfigError(
            f"{found.source}: is a range of models ({', '.join(keys)} may vary), and one model is needed; "
            "give each key one value, or choose one with: edgekd size"
        )
    return found


def load_model_or_range(name: str, folder: Path | None = None) -> Model | ModelRange:
    """Read the model file `name`: one model, or a range of students."""
    from edgekd.config.model import Model
    from edgekd.config.ranges import read_range

    path = find_resource("models", name, folder)
    document = _read_yaml(path)
    ranged = read_range(document, path.stem, str(path))
    if ranged is not None:
        _check_name(str(document.get("name", path.stem)), path)
        return ranged
    model: Model = validate(TypeAdapter(Model), document, str(path))
    _check_name(model.name, path)
    return model


def _check_name(name: str, path: Path) -> None:
    if name != path.stem:
        raise ConfigError(f"{path}: name must be '{path.stem}' as the file is called, got '{name}'")


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        if path.is_dir():
            raise ConfigError(f"{path}: is a folder; give the path of a YAML file")
        if path.exists() and not path.is_file():  # a pipe or a device may never end
            raise ConfigError(f"{path}: is no regular file; give the path of a YAML file")
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 at byte {error.start}; save it as UTF-8") from None
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise ConfigError(f"{path}: no such file; give the path of a YAML file") from None
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}); give the path of a YAML file"
        ) from None
    try:
        document = parse_document(text)
    except DocumentError as error:
        raise ConfigError(f"{path}: {error}") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: must hold keys and values, got {type(document).__name__}")
    return document


def _override(document: dict[str, Any], setting: str) -> None:
    key, equals, text = setting.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {setting:.80}: expected key=value, for example seed=1")
    try:
        check_texts(key)
        value = parse_document(text)
    except DocumentError as error:
        raise ConfigError(f"--set {setting!r:.80}: the value {error}") from None
    place: Any = document
    *parents, last = key.split(".")
    for part in parents:
        place = _step(place, part, setting)
    if isinstance(place, list):
        _step(place, last, setting)  # refuses an index that is not there
        place[int(last)] = value
    else:
        place[last] = value


def _step(place: Any, part: str, setting: str) -> Any:
    if isinstance(place, list):
        is_place = part.isascii() and part.isdigit() and len(part) < 9
        if not is_place or int(part) >= len(place):
            raise ConfigError(f"--set {setting:.80}: '{part:.40}' must be 0 to {len(place) - 1}")
        return _with_keys(place, int(part))[int(part)]
    if not isinstance(place.get(part), dict | list):
        place[part] = {}
    return place[part]


def _with_keys(items: list[Any], place: int) -> list[Any]:
    """A student given by its name alone has keys all the same."""
    if isinstance(items[place], str):
        items[place] = {"model": items[place]}
    return items


def validate(adapter: TypeAdapter[_M], document: Any, source: str) -> _M:
    """Read a document as what an adapter is of.

    Raises:
        ConfigError: it is not; names the first key that is wrong.
    """
    try:
        found = adapter.validate_python(document)
    except ValidationError as error:
        raise ConfigError(f"{source}: {_first_problem(error, adapter)}") from None
    if truth := _find_truth(document, found):
        raise ConfigError(f"{source}: {truth[0]}: expected a number, got {str(truth[1]).lower()}")
    return found


def _find_key(values: Mapping[Any, Any], key: object) -> Any:
    """Return what stands at a key, which may have been read as a number."""
    if key not in values and isinstance(key, str) and key.isascii() and key.isdigit():
        return values.get(int(key[:9]))
    return values.get(key)


def _find_truth(given: Any, read: Any) -> tuple[str, bool] | None:
    """Find the key of a `true` or `false` that was read as a number: pydantic takes them for 1 and 0."""
    if isinstance(given, bool):
        return None if isinstance(read, bool) or not isinstance(read, int | float) else ("", given)
    pairs: list[tuple[object, Any, Any]] = []
    if isinstance(given, dict):
        values = read if isinstance(read, Mapping) else dict(read) if isinstance(read, BaseModel) else {}
        pairs = [(key, value, _find_key(values, key)) for key, value in given.items()]
    elif isinstance(given, list) and isinstance(read, tuple | list):
        pairs = [(place, *both) for place, both in enumerate(zip(given, read, strict=False))]
    for key, value, found in pairs:
        if isinstance(key, bool) and not isinstance(read, BaseModel):
            return str(key).lower(), key
        if truth := _find_truth(value, found):
            return f"{key}.{truth[0]}".rstrip("."), truth[1]
    return None


def _first_problem(error: ValidationError, adapter: TypeAdapter[Any]) -> str:
    problem = error.errors()[0]
    kinds = {"encoder", "transformer", "narrow", "static"}
    key = ".".join(str(part) for part in problem["loc"] if part not in kinds)
    if problem["type"] == "extra_forbidden":
        known = sorted(_keys(adapter.json_schema()))
        near = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else "; remove it, or see: edgekd show schema"
        return f"unknown key '{key:.80}'{hint}"
    if problem["type"] == "missing":
        return f"key '{key}' is missing; add it, or see: edgekd show schema"
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if not key:
        return f"{message:.300}"
    found = problem["input"]
    shown = f", got {_show(found)}" if isinstance(found, str | int | float | bool | None) else ""
    return f"{key:.200}: {message:.300}{shown}"


def _show(value: Any) -> str:
    """Return a value as it is shown, cut: a number may have thousands of digits, more than Python prints."""
    try:
        return f"{value!r:.80}"
    except ValueError:
        return "a number of thousands of digits"


def _keys(schema: Any) -> set[str]:
    found: set[str] = set()
    if isinstance(schema, dict):
        found |= set(schema.get("properties", {}))
        for value in schema.values():
            found |= _keys(value)
    elif isinstance(schema, list):
        for value in schema:
            found |= _keys(value)
    return found
