"""Frozen dataclasses that can be kept as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError

from edgekd.errors import BadInputError
from edgekd.store import parse_json

_R = TypeVar("_R", bound="Record")
_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}


class Record:
    """Mix-in for frozen dataclasses whose fields are JSON values, tuples and other such records."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", allow_inf_nan=False)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, for a file."""
        return cast(dict[str, Any], _adapter(type(self)).dump_python(self, mode="json"))

    @classmethod
    def from_json(cls: type[_R], document: Any) -> _R:
        """Read what `to_json` gave.

        Raises:
            BadInputError: if a field is missing, unknown or of another type; the message names it.
        """
        try:
            return cast(_R, _adapter(cls).validate_python(document))
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"]) or "document"
            raise BadInputError(
                f"not a stored {cls.__name__}: {key}: {first['msg']}; make it again"
            ) from None


def read_record(kind: type[_R], path: Path) -> _R:
    """Read a record from a file of JSON.

    Raises:
        BadInputError: naming the file, if it cannot be read or is no such record.
    """
    try:
        return kind.from_json(parse_json(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, BadInputError) as error:
        words = " ".join(str(error).split())[:300]
        raise BadInputError(f"{path}: cannot be read as {kind.__name__}: {words}") from None


def _adapter(kind: Any) -> Any:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]
