"""What a predicate reads beside the rows: a clock, dice, settings. Such a slice is another one each time.

DuckDB parses the predicate, and its own table of functions says which of them may answer otherwise to the
same arguments. So a function that DuckDB gains is refused without a change here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from edgekd.data.oversized import find_oversized

if TYPE_CHECKING:
    import duckdb

ROWS = "rows"
"""The one table that a predicate may read."""

# They make rows of their arguments alone.
_TABLES_OF_ARGUMENTS = ("unnest", "range", "generate_series")
# DuckDB's table calls these steady for one of the types that they take, though they read the clock.
_READS_CLOCK = {("age", 1)}


@cache
def find_volatile(where: str, columns: tuple[str, ...]) -> str | None:
    """Name what in a predicate is no property of the rows, such as `random()`; None if it reads rows alone.

    `where` is one SQL expression that DuckDB has parsed; `columns` are those of the rows.
    """
    import duckdb

    known = frozenset(name.lower() for name in columns)
    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        return _find_in(connection, where, known, frozenset())


@cache
def find_too_much(where: str) -> str | None:
    """Name what in a predicate makes a value larger than any row (`edgekd.data.oversized`), or None."""
    import duckdb

    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        document = _parse(connection, where)
    return None if document is None else find_oversized(list(_walk(document)))


EVERY = "*"
"""Stands for every column."""


@cache
def find_columns(where: str) -> frozenset[str]:
    """Name the columns that a predicate reads, in lower case; of `book.price` it is `book`.

    `EVERY` is among them where it may read any column, as a star does.
    """
    import duckdb

    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        document = _parse(connection, where)
    found = set()
    for node in _walk(document):
        names = node.get("column_names")
        if isinstance(names, list) and names:
            first, *rest = (str(name).lower() for name in names)
            found.add(first if first != ROWS else rest[0] if rest else EVERY)
        if node.get("type") == "STAR":
            found.add(EVERY)
    return frozenset(found)


def _parse(connection: duckdb.DuckDBPyConnection, where: str) -> Any:
    """Return what DuckDB says of a predicate; None where that is nested too deep."""
    # The line break ends a comment at the predicate's end.
    parsed = _ask(connection, "SELECT json_serialize_sql(?)", f"SELECT ({where}\n) FROM {ROWS}")[0][0]
    try:
        return json.loads(parsed)
    except RecursionError:
        return None


def _find_in(
    connection: duckdb.DuckDBPyConnection, where: str, columns: frozenset[str], macros: frozenset[str]
) -> str | None:
    document = _parse(connection, where)
    if document is None:
        return "what cannot be examined (it is nested too deep)"
    if document["error"]:
        return f"what cannot be examined ({document.get('error_message')})"
    nodes = list(_walk(document))
    tables = {ROWS, *(str(entry["key"]).lower() for node in nodes for entry in _named_tables(node))}
    for node in nodes:
        found = _find_table(node, tables) or _find_value(connection, node, columns)
        if found is None and node.get("function_name"):
            arguments = node.get("arguments", node.get("children")) or ()
            found = _find_function(connection, str(node["function_name"]).lower(), len(arguments), macros)
        if found is not None:
            return found
    return None


def _walk(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every object inside of a JSON value, outer ones first."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
        if isinstance(one, dict | list):
            waiting += reversed(list(one.values()) if isinstance(one, dict) else one)


def _named_tables(node: dict[str, Any]) -> Sequence[dict[str, Any]]:
    """Return the tables that a node names for itself, as in WITH name AS (...)."""
    return (node.get("cte_map") or {}).get("map") or ()


def _find_table(node: dict[str, Any], tables: set[str]) -> str | None:
    if node.get("sample"):
        return "a sample of rows"
    if node.get("type") == "BASE_TABLE" and str(node.get("table_name")).lower() not in tables:
        return f"the table {node.get('table_name')}"
    if node.get("type") == "TABLE_FUNCTION":
        name = str((node.get("function") or {}).get("function_name"))
        return None if name.lower() in _TABLES_OF_ARGUMENTS else f"{name}()"
    return None


def _find_value(
    connection: duckdb.DuckDBPyConnection, node: dict[str, Any], columns: frozenset[str]
) -> str | None:
    """Find what is written as a column and is none, such as `current_date`: DuckDB knows it without rows."""
    import duckdb

    names = node.get("column_names")
    if not isinstance(names, list) or len(names) != 1:
        return None
    name = str(names[0])
    if name.lower() in columns or not name.isidentifier():
        return None
    try:
        connection.execute(f"SELECT {name}")
    except duckdb.Error:  # a name that the predicate itself gives to something
        return None
    return name


def _find_function(
    connection: duckdb.DuckDBPyConnection, name: str, arguments: int, macros: frozenset[str]
) -> str | None:
    overloads = _ask(
        connection,
        "SELECT stability, len(parameter_types), varargs IS NOT NULL, macro_definition "
        "FROM duckdb_functions() WHERE lower(function_name) = ?",
        name,
    )
    fitting = {kind for kind, count, is_open, _ in overloads if count == arguments or is_open}
    if not fitting:
        fitting = {kind for kind, *_ in overloads}
    is_volatile = any(kind == "VOLATILE" for kind, *_ in overloads)
    changes = "CONSISTENT_WITHIN_QUERY" in fitting and "CONSISTENT" not in fitting
    if is_volatile or changes or (name, arguments) in _READS_CLOCK:
        return f"{name}()"
    definitions = {text for *_, text in overloads if text} if name not in macros else ()
    changing = (_find_in(connection, text, frozenset(), macros | {name}) for text in definitions)
    return f"{name}()" if any(changing) else None


def _ask(connection: duckdb.DuckDBPyConnection, sql: str, value: str) -> list[tuple[Any, ...]]:
    return connection.execute(sql, [value]).fetchall()
