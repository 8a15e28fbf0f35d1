"""Give queries their candidates from files of their own: documents, judgements (TREC qrels), a TREC run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekd.config import Columns
from edgekd.data.columns import list_values
from edgekd.data.files import read_table, read_text
from edgekd.data.rank_reader import MOST_GRADE
from edgekd.errors import DataError
from edgekd.store import digest_bytes

QRELS = ("query", "0", "document", "grade")
RUN = ("query", "Q0", "document", "rank", "score", "tag")


@dataclass(frozen=True)
class _Entry:
    """One line of a qrels or run file: a document, its grade (or score), and the line's number."""

    document: str
    value: float
    line: int


_Entries = Mapping[str, Sequence[_Entry]]


def attach_candidates(
    rows: Sequence[Mapping[str, Any]], paths: Mapping[str, Path], columns: Columns
) -> list[dict[str, Any]]:
    """Return the rows, whose `id` is the query's, with `candidates` and their grades in `label`.

    A run says which documents are a query's candidates, and their order: by score, then by rank. A document
    that the qrels do not judge has no grade. Without a run the candidates are the documents that are judged,
    in an order that tells nothing of their grades. Lines of other queries are passed over.

    Raises:
        DataError: with the file and line that is wrong, or the query that has no candidates.
    """
    documents = read_documents(paths["documents"], columns)
    judged = read_qrels(paths["qrels"]) if "qrels" in paths else {}
    listed = read_run(paths["run"]) if "run" in paths else _shuffle(judged)
    source = paths["run"] if "run" in paths else paths["qrels"]
    found = []
    for row in rows:
        name = str(row["id"])
        if name not in listed:
            raise DataError(
                f"{paths['queries']}: query '{name:.60}' has no line in {source}; add its candidates "
                "there, or leave the query out"
            )
        grades = {entry.document: entry.value for entry in judged.get(name, ())}
        for entry in listed[name]:
            if entry.document not in documents:
                raise DataError(
                    f"{source}: line {entry.line}: document '{entry.document:.60}' is not in "
                    f"{paths['documents']}; add it there, or remove the line"
                )
        order = [entry.document for entry in listed[name]]
        texts = [documents[document] for document in order]
        found.append({**row, "candidates": texts, "label": [grades.get(document) for document in order]})
    return found


def read_documents(path: Path, columns: Columns) -> dict[str, str]:
    """Read the text of each document by its id: its columns that are not empty, joined."""
    table = read_table(path, (columns.document,))
    for key, name in (
        ("document", columns.document),
        *(("document_text", name) for name in columns.document_text),
    ):
        if name not in table.column_names:
            names = ", ".join(table.column_names)
            raise DataError(f"{path}: has no column '{name}' (data.columns.{key}); found: {names}")
    found: dict[str, str] = {}
    for number, row in enumerate(list_values(table, str(path)), start=1):
        name = row[columns.document]
        if name is None or str(name) in found:
            what = "has no id" if name is None else f"id '{name}' is that of an earlier row, too"
            raise DataError(f"{path}: row {number}: {what} (column {columns.document}); ids must be unique")
        found[str(name)] = join_texts([row[column] for column in columns.document_text])
        if not found[str(name)]:
            raise DataError(
                f"{path}: row {number} (id {name}): has no text in {', '.join(columns.document_text)}; fill "
                "it, or name more columns in data.columns.document_text"
            )
    return found


def join_texts(values: Sequence[Any]) -> str:
    """Join what a document's columns hold to one text; a list becomes its parts between commas.

    >>> join_texts(["Black Adam", None, ["Action", "Fantasy"], 2022])
    'Black Adam. Action, Fantasy. 2022'
    """
    parts = (", ".join(map(str, value)) if isinstance(value, list) else value for value in values)
    return ". ".join(" ".join(str(part).split()) for part in parts if part is not None and str(part).strip())


def read_qrels(path: Path) -> dict[str, list[_Entry]]:
    """Read judgements, four values on a line: query, 0, document, grade."""
    found: dict[str, dict[str, _Entry]] = {}
    for line, (query, _, document, grade) in _read_lines(path, QRELS):
        value = _read_number(grade)
        if value is not None and value > MOST_GRADE:
            raise DataError(f"{path}: line {line}: grade must be at most {MOST_GRADE:,}, got '{grade:.60}'")
        if value is None or value < 0:
            raise DataError(
                f"{path}: line {line}: grade must be a number from 0 up, got '{grade:.60}'; write 0 for what "
                "is not relevant, and leave out what was not judged"
            )
        _add(found, query, _Entry(document, value, line), path)
    return {query: list(entries.values()) for query, entries in found.items()}


def read_run(path: Path) -> dict[str, list[_Entry]]:
    """Read a run, six values on a line: query, Q0, document, rank, score, tag; in the run's order."""
    found: dict[str, dict[str, _Entry]] = {}
    ranks: dict[int, float] = {}
    for line, (query, _, document, rank, score, _) in _read_lines(path, RUN):
        values = _read_number(rank), _read_number(score)
        if values[0] is None or values[1] is None:
            raise DataError(
                f"{path}: line {line}: rank and score must be numbers, got '{rank:.60}' and '{score:.60}'"
            )
        ranks[line] = values[0]
        _add(found, query, _Entry(document, values[1], line), path)
    return {
        query: sorted(entries.values(), key=lambda entry: (-entry.value, ranks[entry.line]))
        for query, entries in found.items()
    }


def _shuffle(judged: _Entries) -> _Entries:
    return {
        query: sorted(entries, key=lambda entry: digest_bytes(f"{query}:{entry.document}".encode()))
        for query, entries in judged.items()
    }


def _add(found: dict[str, dict[str, _Entry]], query: str, entry: _Entry, path: Path) -> None:
    entries = found.setdefault(query, {})
    if entry.document in entries:
        raise DataError(
            f"{path}: line {entry.line}: query '{query:.60}' has document '{entry.document:.60}' in line "
            f"{entries[entry.document].line}, too; remove one of them"
        )
    entries[entry.document] = entry


def _read_lines(path: Path, names: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        values = line.split()
        if values and len(values) != len(names):
            raise DataError(
                f"{path}: line {number}: has {len(values)} values, expected {len(names)} between spaces "
                f"({' '.join(names)})"
            )
        if values:
            yield number, values


def _read_number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
