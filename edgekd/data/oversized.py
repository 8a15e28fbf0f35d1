"""What a predicate would make that is larger than any row: a text of a billion characters, a list as long.

DuckDB makes such a value in one step that nothing interrupts, in memory that its own limit does not count. So
the functions that make values of a length which is asked for may be asked for short ones only, written out as
numbers.
"""

from __future__ import annotations

import re
from typing import Any

MOST_LENGTH = 100_000
"""Of all lengths that a predicate asks for, multiplied: one maker may stand inside of another."""
_SECOND = ("repeat", "lpad", "rpad", "list_resize", "array_resize")
"""Functions whose second argument is a length."""
_EVERY = ("range", "generate_series", "space", "bar")
_WRITTEN = ("format", "printf")
"""Functions whose first argument is a text that lengths stand in."""
_DIGITS = re.compile(r"\d+")


def find_oversized(nodes: list[dict[str, Any]]) -> str | None:
    """Name the function of a parsed predicate that makes too much; None where none does.

    `nodes` are all objects of what DuckDB says of the predicate (`json_serialize_sql`).
    """
    product = 1
    for node in nodes:
        name = str(node.get("function_name") or "").lower()
        if name not in (*_SECOND, *_EVERY, *_WRITTEN):
            continue
        given = node.get("arguments", node.get("children")) or []
        of_length = given if name in _EVERY else given[1:2] if name in _SECOND else given[:1]
        lengths = [_read_length(argument) for argument in of_length]
        if None in lengths:
            return f"{name}() of a length that is not written out as a number"
        product *= max(1, *(length or 0 for length in lengths))
        if product > MOST_LENGTH:
            return f"{name}() of more than {MOST_LENGTH:,} in all"
    return None


def _read_length(argument: dict[str, Any]) -> int | None:
    """Return the largest number that a constant holds; None for what is no constant."""
    node = argument.get("expression", argument)
    if str(node.get("type")) != "VALUE_CONSTANT":
        return None
    value = node.get("literal", node.get("value")) or {}
    text = str(value.get("text", value.get("value")))
    return max((int(digits[:18]) for digits in _DIGITS.findall(text)), default=0)
