"""What people said of answers: files of row, rater and verdict."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from edgekd.errors import DataError
from edgekd.stats.interval import Interval
from edgekd.stats.proportion import wilson_interval
from edgekd.store import parse_json

WINS = {"win": 1.0, "tie": 0.5, "loss": 0.0}
"""Verdicts on a pair of answers, of the variant's."""
FLAWS = {"yes": 1.0, "no": 0.0}
"""Verdicts on one answer: whether it is made up."""
_COLUMNS = ("row", "rater", "verdict")


def people_figures(files: Mapping[str, Path], asked: Collection[str]) -> dict[str, Interval]:
    """Return those of the asked figures that people's verdicts give, shares of rows, each from its own file.

    Raises:
        DataError: as of `read_verdicts`.
    """
    values = {"human_win_rate": WINS, "hallucination_rate": FLAWS}
    return {
        name: verdict_rate(read_verdicts(path, values[name])) for name, path in files.items() if name in asked
    }


def read_verdicts(path: Path, values: Mapping[str, float]) -> dict[str, float]:
    """Return each row's verdict, the mean of its raters'; `values` says what a verdict counts.

    Raises:
        DataError: naming the line that is not row, rater and one of the verdicts, or a rater who spoke twice.
    """
    said: dict[str, list[float]] = defaultdict(list)
    heard: set[tuple[str, str]] = set()
    try:
        text = path.read_text(encoding="utf-8")
        entries = list(_rows(text) if path.suffix == ".csv" else _objects(text))
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as verdicts ({error})") from None
    for number, entry in entries:
        if not isinstance(entry, dict) or not all(_is_said(entry.get(name)) for name in _COLUMNS):
            raise DataError(f"{path}: line {number}: expected {', '.join(_COLUMNS)}")
        row, rater, verdict = (str(entry[name]) for name in _COLUMNS)
        if verdict not in values:
            raise DataError(f"{path}: line {number}: expected one of {', '.join(values)}, got {verdict:.40}")
        if (row, rater) in heard:
            raise DataError(f"{path}: line {number}: {rater:.40} has judged row {row:.40} already")
        heard.add((row, rater))
        said[row].append(values[verdict])
    if not said:
        raise DataError(f"{path}: holds no verdict")
    return {row: sum(found) / len(found) for row, found in said.items()}


def _is_said(value: Any) -> bool:
    """Say whether a row, a rater or a verdict is named: by a text, or a number of some digits."""
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) < 10**30
    return isinstance(value, str) and bool(value.strip())


def _rows(text: str) -> Iterator[tuple[int, Any]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    if reader.fieldnames and len(set(reader.fieldnames)) < len(reader.fieldnames):
        raise ValueError("a column's name stands there twice")
    for entry in reader:
        yield reader.line_num, entry


def _objects(text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, parse_json(line)


def verdict_rate(verdicts: Mapping[str, float], confidence: float = 0.9) -> Interval:
    """Return the mean verdict over rows, with Wilson's interval of a rate over so many rows.

    Verdicts between 0 and 1 vary less than whole ones of the same mean, so the interval is no narrower
    than it should be. Raters of one row are not independent, so they count as one.

    >>> verdict_rate({"a": 1.0, "b": 0.5, "c": 0.0}).estimate
    0.5
    """
    n = len(verdicts)
    mean = sum(verdicts.values()) / n
    below, above = (wilson_interval(hits, n, confidence) for hits in (int(mean * n), -int(-mean * n // 1)))
    return Interval(mean, below.low, above.high, confidence)
