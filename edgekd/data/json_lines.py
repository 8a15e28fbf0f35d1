"""From JSON lines to rows: one object per line, its values as they stand there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgekd.errors import DataError

_MOST_DEPTH = 30
"""Levels of lists and objects inside one value; a row's candidates have two."""


def parse_lines(path: Path, text: str) -> list[dict[str, Any]]:
    """Return an object per line that is not blank; `path` names the file in errors.

    Raises:
        DataError: naming the line that is no object, holds a key twice, or what no table can hold: half a
            character, or values nested too deep.
    """
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = parse_object(line)
        except ValueError as error:
            words = " ".join(str(error).split())[:200]
            raise DataError(f"{path}: line {number}: {words}") from None
        rows.append(row)
    return rows


def parse_object(line: str) -> dict[str, Any]:
    """Return the one object that a line holds.

    Raises:
        ValueError: in one line, what it is instead.
    """
    try:
        row = json.loads(line, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError(f"is nested deeper than {_MOST_DEPTH} levels") from None
    except _TwiceError as error:
        raise ValueError(str(error)) from None
    except ValueError as error:
        raise ValueError(f"is not JSON: {error}") from None
    if not isinstance(row, dict):
        raise ValueError(f"expected an object, got {type(row).__name__}")
    # Both are rare, and can be told from the line: an escape is written out, and every level has its bracket.
    if "\\u" in line or not line.isascii() or line.count("[") + line.count("{") > _MOST_DEPTH:
        for name, value in row.items():
            _check_value(name, value)
    return row


class _TwiceError(ValueError):
    """A key that stands twice in one object."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _TwiceError(f"key {twice!r:.60} stands there twice; remove one of them")
    return row


def _check_value(name: str, value: Any) -> None:
    """Refuse half a character and depth, anywhere in a column's value."""
    stack = [(name, 0), (value, 0)]
    while stack:
        one, depth = stack.pop()
        if depth > _MOST_DEPTH:
            raise ValueError(f"column {name!r:.60}: is nested deeper than {_MOST_DEPTH} levels")
        if isinstance(one, str):
            try:
                one.encode()
            except UnicodeEncodeError as error:
                half = f"\\u{ord(one[error.start]):04x}"
                raise ValueError(
                    f"column {name!r:.60}: holds {half}, half of a character; write whole characters, or "
                    "remove it"
                ) from None
        elif isinstance(one, dict):
            stack += [(inner, depth + 1) for pair in one.items() for inner in pair]
        elif isinstance(one, list):
            stack += [(inner, depth + 1) for inner in one]
