"""Targets that are grades of candidates: each row is a query with a list of texts to put in order."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from edgekd.data.reader import Targets
from edgekd.errors import DataError
from edgekd.serving.request import clean, join_request

ABSENT = -1.0
"""Stands in a row of targets where the row has no candidate: rows are filled up to the longest."""

MOST_GRADE = 1_000_000
"""Grades are small in every published collection; a number beyond this is a slip."""
_LEAST = 2


class RankReader:
    """Reads queries with candidates and their grades; a grade is a number from 0 up, the higher the better.

    The column `candidates` holds the texts in the order in which they came in, `label` a grade for each,
    null where it was not judged.
    """

    kind: pa.DataType = pa.list_(pa.float32())
    columns: Mapping[str, pa.DataType] = {"candidates": pa.list_(pa.string())}

    def request(self, row: Mapping[str, Any]) -> str:
        """Return the query and its candidates as one string; see `edgekd.serving.request`."""
        return join_request(row["text"], row["candidates"])

    def arrange(self, row: Mapping[str, Any], where: str) -> dict[str, Any]:
        """Return the row with a list of texts and a list of as many grades.

        Candidates may come as texts beside a list of grades, or as objects {text, grade}. A row without
        grades gets a list of nulls.
        """
        candidates, grades = _take_apart(row["candidates"], row["label"], where)
        if len(candidates) < _LEAST:
            raise DataError(
                f"{where}: has {len(candidates)} candidate{'' if len(candidates) == 1 else 's'}; expected at "
                f"least {_LEAST} to put in order; leave the query out"
            )
        seen: dict[str, int] = {}
        for place, text in enumerate(candidates, start=1):
            if not isinstance(text, str) or not text.strip():
                raise DataError(
                    f"{where}: candidate {place} must be text that is not empty, got {_shorten(text)}"
                )
            if (first := seen.setdefault(text, place)) != place:
                raise DataError(
                    f"{where}: candidate {place} has the text of candidate {first} ({_shorten(text)}); "
                    "remove one, or add to both what tells them apart"
                )
        if len(grades) != len(candidates):
            raise DataError(
                f"{where}: has {len(candidates)} candidates and {len(grades)} grades; expected one grade for "
                "each, null where it was not judged"
            )
        for place, grade in enumerate(grades, start=1):
            _check_grade(grade, f"{where}: the grade of candidate {place}")
        text = row["text"]
        return {
            **row,
            "text": clean(text) if isinstance(text, str) else text,
            "candidates": [clean(candidate) for candidate in candidates],
            "label": [None if grade is None else float(grade) for grade in grades],
        }

    def check(self, target: Any, where: str) -> None:
        """Refuse a row of which no candidate is judged."""
        if all(grade is None for grade in target):
            raise DataError(
                f"{where}: no candidate has a grade; name the column of the grades in data.columns.label, "
                "give candidates as {text, grade}, or move the row to split 'unlabelled'"
            )

    def find_outputs(self, rows: Sequence[Mapping[str, Any]], source: str) -> tuple[str, ...]:
        """A model gives one score for each candidate."""
        return ("score",)

    def stratum(self, target: Any) -> float:
        """Rows are grouped by their best grade; those without any are one group."""
        return max((grade for grade in target if grade is not None), default=ABSENT)

    def encode(self, targets: Sequence[Any], outputs: Sequence[str]) -> Targets:
        """Return the grades, float32 [row, place].

        NaN stands where a candidate was not judged, `ABSENT` where there is none.
        """
        width = max(map(len, targets), default=0)
        table = np.full((len(targets), width), ABSENT, np.float32)
        for row, grades in zip(table, targets, strict=True):
            row[: len(grades)] = [math.nan if grade is None else grade for grade in grades]
        return table

    def is_known(self, targets: Targets) -> npt.NDArray[np.bool_]:
        """Say which rows have a candidate that is judged, from grades [row, place]."""
        return np.asarray((targets >= 0).any(axis=1))

    def describe(self, train: Targets, outputs: Sequence[str]) -> str:
        """Count the candidates of a query, how many are judged, and how often each grade occurs."""
        counts = (train != ABSENT).sum(axis=1)
        judged = train[train >= 0]
        grades = Counter(float(grade) for grade in judged)
        most = ", ".join(f"{grade:g}: {count:,}" for grade, count in sorted(grades.items())[:6])
        span = f"{counts.min()}" if counts.min() == counts.max() else f"{counts.min()} to {counts.max()}"
        return (
            f"candidates per query: {span}, of which {judged.size / counts.sum():.0%} are judged; "
            f"grades of the training rows: {most}{', ...' if len(grades) > 6 else ''}"
        )


RANKS = RankReader()


def _read_list(value: Any) -> Any:
    """Return the list that a text holds as JSON: so CSV has lists, and so columns of several types come."""
    if not isinstance(value, str):
        return value
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return found if isinstance(found, list) else value


def _take_apart(candidates: Any, grades: Any, where: str) -> tuple[list[Any], list[Any]]:
    candidates, grades = _read_list(candidates), _read_list(grades)
    if not isinstance(candidates, list):
        raise DataError(
            f"{where}: column candidates must be a list of texts, or of objects {{text, grade}}, "
            f"got {_shorten(candidates)}"
        )
    if any(isinstance(candidate, dict) for candidate in candidates):
        for place, candidate in enumerate(candidates, start=1):
            if not isinstance(candidate, dict) or "text" not in candidate:
                raise DataError(
                    f"{where}: candidate {place} must be an object with text and grade like the others, "
                    f"got {_shorten(candidate)}"
                )
        if grades is not None:
            raise DataError(f"{where}: has grades twice, in a column and in candidates; remove one of them")
        grades = [candidate.get("grade") for candidate in candidates]
        return [candidate["text"] for candidate in candidates], grades
    if grades is None:
        grades = [None] * len(candidates)
    if not isinstance(grades, list):
        raise DataError(f"{where}: the grades must be a list of numbers or nulls, got {_shorten(grades)}")
    return candidates, grades


def _check_grade(grade: Any, what: str) -> None:
    if grade is None:
        return
    if isinstance(grade, bool) or not isinstance(grade, int | float) or not 0 <= grade < math.inf:
        raise DataError(
            f"{what} must be a number from 0 up, or null where it was not judged, got {_shorten(grade)}"
        )
    if grade > MOST_GRADE:
        raise DataError(f"{what} must be at most {MOST_GRADE:,}, got {_shorten(grade)}")


def _shorten(value: Any) -> str:
    try:
        shown = repr(value)
    except ValueError:  # an integer of more digits than Python prints
        shown = "a number of thousands of digits"
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
