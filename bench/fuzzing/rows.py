"""Inputs of the readers of rows: JSON lines, CSV, Parquet, splits, rankings, texts without labels."""

from __future__ import annotations

import csv
import gzip
import io
import json
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from edgekd.config import Columns, Data
from edgekd.data.load import load_and_compare
from edgekd.data.rank_reader import RANKS
from edgekd.data.taskdata import TaskData
from edgekd.data.unlabelled import read_unlabelled
from edgekd.errors import DataError
from edgekd.single.bench import read_texts
from fuzzing.reader import Input, Reader
from fuzzing.values import HARD, PLAIN, choose_value, damage, mutate

Rows = list[dict[str, Any]]
SPLITS = ("train", "calibration", "validation", "test")


def make_rows(count: int = 2) -> Rows:
    """Return right rows, `count` of each of two classes in each split."""
    return [
        {
            "id": f"{split}{place}",
            "text": f"text {split} {place}",
            "label": "ab"[place % 2],
            "split": split,
            "n": place,
        }
        for split in SPLITS
        for place in range(2 * count)
    ]


@cache
def make_data() -> TaskData:
    """Return rows that slices are asked of."""
    days = [None, "2026-01-01", "2026-02-01"]
    table = pa.table(
        {
            "id": ["1", "2", "3"],
            "text": ["a b", "c", "d e f"],
            "label": ["x", "y", "x"],
            "split": ["test"] * 3,
            "device": ["web", None, "ios"],
            "n": [1, 2, 3],
            "seen": pa.array(days).cast(pa.timestamp("us")),
        }
    )
    return TaskData(table, ("x", "y"))


# Why no reader may take the rows, the column, and the value of one of them.
BROKEN_VALUES: tuple[tuple[str, str, Any], ...] = (
    ("an empty text", "text", ""),
    ("no text", "text", None),
    ("a number for a text", "text", 7),
    ("a list for a text", "text", ["a"]),
    ("a number for a label", "label", 3),
    ("a truth for a label", "label", True),
    ("no label", "label", None),
    ("an empty label", "label", " "),
    ("a label of the test split alone", "label", "novel"),
    ("an unknown split", "split", "exam"),
    ("no id", "id", None),
    ("an id that another row has", "id", "train0"),
    ("half a character", "text", "a \ud83d"),
    ("half a character", "n", "\ude00"),
    ("a list for an id", "id", [1]),
)
COLUMNS = Columns(split="split", id="id")


def break_rows(rng: Random) -> tuple[Rows, str]:
    """Return rows of which one has what no reader may take, and why."""
    rows = make_rows()
    why, column, value = rng.choice(BROKEN_VALUES)
    rows[-1 if column in ("label", "id") else rng.randrange(len(rows))][column] = value
    return rows, why


def make_lines(rng: Random) -> Input:
    """Draw rows as JSON lines, sometimes packed."""
    if rng.random() < 0.2:
        rows, why = break_rows(rng)
        if rng.random() < 0.2:
            rows, why = [{**row, "id": 0} for row in make_rows()], "ids that are all zero"
        return Input({"rows.jsonl": to_lines(rows)}, {"file": "rows.jsonl"}, why)
    rows = [row if rng.random() < 0.8 else mutate(rng, row, 1) for row in make_rows()]
    if rng.random() < 0.2:
        name = rng.choice(("n", "device", "id", "text", "label", "split"))
        rows = [{**row, name: choose_value(rng)} if isinstance(row, dict) else row for row in rows]
    data = to_lines(rows)
    data = damage(rng, data) if rng.random() < 0.4 else data
    if rng.random() < 0.2:
        packed = gzip.compress(data, 1)
        packed = damage(rng, packed) if rng.random() < 0.5 else packed
        return Input({"rows.jsonl.gz": packed}, {"file": "rows.jsonl.gz"})
    return Input({"rows.jsonl": data}, {"file": "rows.jsonl"})


def to_lines(rows: list[Any]) -> bytes:
    """Write JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def to_csv(rows: Rows, delimiter: str = ",") -> bytes:
    """Write CSV; what is no text is written as Python writes it."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    sink = io.StringIO()
    writer = csv.DictWriter(sink, names, delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return sink.getvalue().encode("utf-8", "surrogatepass")


def make_csv(rng: Random) -> Input:
    """Draw rows as CSV."""
    if rng.random() < 0.1:
        rows, why = break_rows(rng)
        if why in ("an empty text", "an empty label", "an unknown split", "an id that another row has"):
            return Input({"rows.csv": to_csv(rows)}, {"file": "rows.csv"}, why)
    rows = make_rows()
    name = rng.choice(("n", "text", "label", "id", "split", "device", "", "Text"))
    values = (
        *PLAIN,
        *HARD[1:6],
        "2020-01-01 00:00:00.123456789",
        "9999999999-01-01",
        "1e400",
        "12:61",
        '"',
        "0001",
    )
    for row in rows:
        if rng.random() < 0.7:
            row[name] = rng.choice(values)
    data = to_csv(rows, rng.choice((",", ",", ",", ";", "\t")))
    file = rng.choice(("rows.csv", "rows.csv", "rows.csv", "rows.tsv", "rows.csv.gz"))
    data = damage(rng, data) if rng.random() < 0.5 else data
    return Input({file: gzip.compress(data, 1) if file.endswith("gz") else data}, {"file": file})


def make_parquet(rng: Random) -> Input:
    """Draw rows as Parquet, with columns of any type."""
    rows = make_rows()
    table = pa.Table.from_pylist(rows)
    kinds: tuple[tuple[Any, pa.DataType], ...] = (
        (2**40, pa.timestamp("s")), (-(2**40), pa.timestamp("s")), (1, pa.timestamp("ns")),
        (2**31 - 1, pa.date32()),
        (2**60, pa.date64()), (b"\xff", pa.binary()), (b"ab", pa.binary(2)), (1, pa.duration("ns")),
        ([1, None], pa.list_(pa.int8())), ({"a": 1}, pa.struct([("a", pa.int64())])),
        (1, pa.decimal128(38, 10)),
        ([("a", 1)], pa.map_(pa.string(), pa.int64())), (2**64 - 1, pa.uint64()), (None, pa.null()),
        (float("nan"), pa.float32()), ("a", pa.dictionary(pa.int8(), pa.string())), (1, pa.time64("ns")),
        ("x", pa.large_string()), (True, pa.bool_()), (2**62, pa.timestamp("us", tz="Europe/Berlin")),
    )  # fmt: skip
    for _ in range(rng.choice((1, 1, 2))):
        value, kind = rng.choice(kinds)
        name = rng.choice(("n", "text", "label", "id", "split", "more", "", "Text"))
        values = [value if rng.random() < 0.7 else None for _ in rows]
        try:
            column = pa.array(values, kind)
        except (pa.ArrowException, OverflowError, TypeError):
            continue
        place = table.schema.get_field_index(name)
        add = place < 0 or rng.random() < 0.1  # a second column of the same name
        table = table.append_column(name, column) if add else table.set_column(place, name, column)
    sink = io.BytesIO()
    try:
        pyarrow.parquet.write_table(table, sink)
    except (pa.ArrowException, ValueError):
        return make_parquet(rng)
    data = sink.getvalue()
    return Input(
        {"rows.parquet": damage(rng, data) if rng.random() < 0.4 else data}, {"file": "rows.parquet"}
    )


def read_rows(given: Input, folder: Path) -> None:
    """Load the rows of one file."""
    load_and_compare(Data(source=given.values["file"], columns=COLUMNS), folder)


def make_splits(rng: Random) -> Input:
    """Draw a file for each split, of formats and types of its own."""
    files, names = {}, {}
    for split in SPLITS:
        rows = [
            {key: value for key, value in row.items() if key != "split"}
            for row in make_rows()
            if row["split"] == split
        ]
        name = rng.choice(("n", "postcode", "label", "text"))
        if rng.random() < 0.6:
            value = rng.choice(PLAIN)
            rows = [{**row, name: rng.choice((value, choose_value(rng)))} for row in rows]
        is_csv = rng.random() < 0.6
        names[split] = f"{split}.{'csv' if is_csv else 'jsonl'}"
        data = to_csv(rows) if is_csv else to_lines(rows)
        files[names[split]] = damage(rng, data) if rng.random() < 0.1 else data
    return Input(files, {"source": names})


def read_splits(given: Input, folder: Path) -> None:
    """Load a file for each split."""
    load_and_compare(Data(source=given.values["source"], columns=Columns(id="id")), folder)


def make_ranking(rng: Random) -> Input:
    """Draw queries, documents, judgements and a run."""
    queries = [{"id": f"q{n}", "text": f"query {n}", "split": split} for n, split in enumerate(SPLITS * 2)]
    documents = [{"id": f"d{n}", "text": f"document {n}"} for n in range(6)]
    qrels = [f"q{n} 0 d{d} {d % 3}" for n in range(len(queries)) for d in range(4)]
    run = [f"q{n} Q0 d{d} {d + 1} {9 - d} x" for n in range(len(queries)) for d in range(5)]
    files = {
        "queries.jsonl": to_lines([row if rng.random() < 0.95 else mutate(rng, row, 1) for row in queries]),
        "documents.jsonl": to_lines(
            [row if rng.random() < 0.95 else mutate(rng, row, 1) for row in documents]
        ),
        "qrels.txt": "\n".join(qrels).encode(),
        "run.txt": "\n".join(run).encode(),
    }
    act = rng.random()
    if act < 0.1:
        grade = rng.choice(("good", "-1", "nan", "inf", "1e999", "9" * 5000, "0x1"))
        files["qrels.txt"] += f"\nq0 0 d5 {grade}".encode()
        return Input(files, broken=f"the grade {grade:.10}")
    for name in files:
        files[name] = damage(rng, files[name]) if rng.random() < 0.3 else files[name]
    return Input(files)


def read_ranking(given: Input, folder: Path) -> None:
    """Load queries with their candidates."""
    names = {
        "queries": "queries.jsonl",
        "documents": "documents.jsonl",
        "qrels": "qrels.txt",
        "run": "run.txt",
    }
    load_and_compare(Data(source=names, columns=Columns(id="id", split="split")), folder, reader=RANKS)


def make_candidates(rng: Random) -> Input:
    """Draw rows that hold their candidates."""
    rows = [
        {"text": f"query {n}", "candidates": ["a", f"b {n}", "c"], "label": [1, 0, None], "split": split}
        for n, split in enumerate(SPLITS * 2)
    ]
    if rng.random() < 0.3:
        key, value = rng.choice(
            (("label", [True, 0, 1]), ("label", ["1", 0, 1]), ("label", [1, 0]), ("label", [-1, 0, 0]),
            ("candidates", []),
             ("label", [10**400, 0, 1]), ("candidates", ["a", "a", "b"]), ("candidates", "a"),
             ("candidates", ["a", 1, "b"]))
        )  # fmt: skip
        rows[3][key] = value
        return Input({"rows.jsonl": to_lines(rows)}, broken=f"{key} {value!s:.20}")
    data = to_lines([row if rng.random() < 0.7 else mutate(rng, row) for row in rows])
    return Input({"rows.jsonl": damage(rng, data) if rng.random() < 0.2 else data})


def read_candidates(given: Input, folder: Path) -> None:
    """Load queries that hold their candidates."""
    load_and_compare(Data(source="rows.jsonl", columns=Columns(split="split")), folder, reader=RANKS)


def make_unlabelled(rng: Random) -> Input:
    """Draw files of more texts."""
    given = rng.choice((make_lines, make_csv, make_parquet))(rng)
    return Input(given.files, given.values)


def read_more(given: Input, folder: Path) -> None:
    """Read more texts for rows that are right."""
    data = Data(source=given.values["file"], columns=Columns(split="split"))
    found = read_unlabelled([folder / given.values["file"]], make_rows(), data.columns, ())
    (folder / "own.jsonl").write_bytes(to_lines(make_rows()))
    whole = data.model_copy(update={"source": "own.jsonl", "unlabelled": (given.values["file"],)})
    if found:
        load_and_compare(whole, folder)


def make_texts(rng: Random) -> Input:
    """Draw a file of texts to answer."""
    if rng.random() < 0.3:
        data = "where is my order\n\nnaïve 漫画\u2028x\x0by\n".encode()
        data = damage(rng, data)
        return Input({"texts.txt": data}, {"file": "texts.txt"})
    given = rng.choice((make_lines, make_csv, make_parquet, make_candidates))(rng)
    return Input(given.files, {"file": next(iter(given.files))})


def read_answerable(given: Input, folder: Path) -> None:
    """Read texts to answer; each is one."""
    for text in read_texts(folder / given.values["file"]).texts:
        if not isinstance(text, str) or not text:
            raise AssertionError(f"no text: {text!r}")
        text.encode()


def read_ages(given: Input, folder: Path) -> None:
    """Load rows and read a column as their dates."""
    from datetime import date

    from edgekd.data.age import ages_in_days

    data = load_and_compare(Data(source="rows.jsonl", columns=COLUMNS), folder)[0]
    ages = ages_in_days(data, "n", date(2026, 11, 30))
    if (ages < 0).any():
        raise DataError("an age below zero")


def make_dates(rng: Random) -> Input:
    """Draw rows with dates."""
    values = (
        "2026-01-01",
        "2026-02-30",
        "2026-01-01T10:11:12Z",
        "2026-13-45",
        "0001-01-01",
        "9999-12-31",
        7,
        None,
        True,
        "",
    )
    value = rng.choice(values)
    rows = [{**row, "n": value if rng.random() < 0.9 else choose_value(rng)} for row in make_rows()]
    return Input({"rows.jsonl": to_lines(rows)})


READERS = (
    Reader("JSON lines", make_lines, read_rows),
    Reader("CSV", make_csv, read_rows),
    Reader("Parquet", make_parquet, read_rows),
    Reader("a file per split", make_splits, read_splits),
    Reader("queries, documents, qrels, run", make_ranking, read_ranking),
    Reader("rows with candidates", make_candidates, read_candidates),
    Reader("unlabelled texts", make_unlabelled, read_more),
    Reader("texts to answer", make_texts, read_answerable),
    Reader("dates of rows", make_dates, read_ages),
)
