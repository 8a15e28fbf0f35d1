import gzip
import json
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import csv, parquet

from edgekd.config import Carve, Columns, Data
from edgekd.data.load import load_and_compare, load_data
from edgekd.data.rank_reader import ABSENT, RANKS
from edgekd.data.shared import describe_shared
from edgekd.data.taskdata import open_data, save_data
from edgekd.errors import DataError
from edgekd.serving.request import UNIT, split_request

COLUMNS = Columns(text="query", label="grades", split="split")
SPLITS = ("train", "calibration", "validation", "test")


def rows_of(count=4):
    return [
        {
            "query": f"query {split} {i}",
            "candidates": [f"{split} {i} text {place}" for place in range(2 + i)],
            "grades": [float(place % 2) if place < 2 else None for place in range(2 + i)],
            "split": split,
            "language": "en",
        }
        for split in SPLITS
        for i in range(count)
    ]


def write(folder, rows, name="rows.jsonl", columns=COLUMNS):
    text = "\n".join(json.dumps(row) for row in rows)
    if name.endswith(".gz"):
        (folder / name).write_bytes(gzip.compress(text.encode()))
    else:
        (folder / name).write_text(text, encoding="utf-8")
    return Data(source=name, columns=columns)


def test_formats_give_the_same_rows(tmp_path):
    rows = rows_of()
    lists = [{**row, **{key: json.dumps(row[key]) for key in ("candidates", "grades")}} for row in rows]
    csv.write_csv(pa.Table.from_pylist(lists), tmp_path / "rows.csv")
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    objects = [
        {
            **{key: row[key] for key in ("query", "split", "language")},
            "candidates": [
                {"text": text, "grade": grade} if grade is not None else {"text": text}
                for text, grade in zip(row["candidates"], row["grades"], strict=True)
            ],
        }
        for row in rows
    ]
    loaded = [
        load_data(write(tmp_path, rows), tmp_path, 0, RANKS),
        load_data(write(tmp_path, rows, "rows.jsonl.gz"), tmp_path, 0, RANKS),
        load_data(Data(source="rows.csv", columns=COLUMNS), tmp_path, 0, RANKS),
        load_data(Data(source="rows.parquet", columns=COLUMNS), tmp_path, 0, RANKS),
        load_data(write(tmp_path, objects, "objects.jsonl"), tmp_path, 0, RANKS),
    ]
    assert len({data.digest for data in loaded}) == 1
    data = loaded[0]
    assert data.outputs == ("score",)
    assert data.table.schema.field("label").type == pa.list_(pa.float32())
    assert data.table.schema.field("candidates").type == pa.list_(pa.string())
    assert data.texts[0] == "query train 0"
    assert split_request(data.requests[1]) == (rows[1]["query"], rows[1]["candidates"])
    save_data(data, tmp_path / "saved")
    again = open_data(tmp_path / "saved", RANKS)
    assert again.table.equals(data.table)
    assert again.requests == data.requests


def test_targets_are_grades_with_signs_for_what_is_missing(tmp_path):
    data = load_data(write(tmp_path, rows_of()), tmp_path, 0, RANKS)
    targets = data.split("test").targets
    assert targets.dtype == np.float32
    assert targets.shape == (4, 5)
    assert targets[0].tolist() == [0, 1, ABSENT, ABSENT, ABSENT]
    assert targets[3, :2].tolist() == [0, 1]
    assert np.isnan(targets[3, 2:]).all()
    assert RANKS.is_known(targets).all()
    assert RANKS.describe(targets, data.outputs) == (
        "candidates per query: 2 to 5, of which 57% are judged; grades of the training rows: 0: 4, 1: 4"
    )


grades = st.lists(
    st.lists(st.one_of(st.none(), st.integers(0, 4).map(float)), min_size=2, max_size=7), max_size=6
)


@given(grades)
def test_encoding_loses_nothing(rows):
    table = RANKS.encode(rows, ("score",))
    assert table.shape[0] == len(rows)
    back = [[None if math.isnan(value) else value for value in row[row != ABSENT].tolist()] for row in table]
    assert back == rows
    assert RANKS.is_known(table).tolist() == [any(grade is not None for grade in row) for row in rows]
    for row in table:  # what is absent stands at the end
        assert (np.diff((row == ABSENT).astype(int)) >= 0).all()


@given(st.lists(st.text(min_size=1).filter(str.strip), min_size=3, max_size=6, unique=True))
def test_a_request_holds_the_query_and_its_candidates(texts):
    query, *candidates = texts
    row = RANKS.arrange({"text": query, "candidates": candidates, "label": None}, "here")
    assert split_request(RANKS.request(row)) == (row["text"], row["candidates"])
    assert len(row["candidates"]) == len(candidates)
    assert [text.replace(UNIT, " ") for text in candidates] == row["candidates"]


def broken(**changes):
    row = {"query": "q", "candidates": ["a", "b"], "grades": [0, 1], "split": "train", **changes}
    return [*rows_of(), row]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"candidates": ["a"], "grades": [1]},
            "has 1 candidate; expected at least 2 to put in order; leave the",
        ),
        ({"candidates": [], "grades": []}, "has 0 candidates; expected at least 2"),
        ({"candidates": None}, "column candidates must be a list of texts.*got None"),
        ({"candidates": "a b"}, "column candidates must be a list of texts.*got 'a b'"),
        ({"candidates": ["a", " "]}, "candidate 2 must be text that is not empty, got ' '"),
        ({"candidates": ["a", 5]}, "candidate 2 must be text that is not empty, got 5"),
        ({"grades": ["1", 0]}, "the grade of candidate 1 must be a number from 0 up.*got '1'"),
        ({"candidates": ["a", None]}, "candidate 2 must be text that is not empty, got None"),
        ({"candidates": ["a", "a"]}, r"candidate 2 has the text of candidate 1 \('a'\); remove one, or add"),
        (
            {"grades": [1]},
            "has 2 candidates and 1 grades; expected one grade for each, null where it was not",
        ),
        ({"grades": [1, -1]}, "the grade of candidate 2 must be a number from 0 up, or null.*got -1"),
        ({"grades": [1, float("nan")]}, "the grade of candidate 2 must be a number from 0 up.*got nan"),
        ({"grades": [float("inf"), 1]}, "the grade of candidate 1 must be a number from 0 up.*got inf"),
        (
            {"grades": [None, None]},
            "no candidate has a grade; name the column of the grades in data.columns.label",
        ),
        ({"grades": None}, "no candidate has a grade"),
        ({"grades": "1 2"}, "the grades must be a list of numbers or nulls, got '1 2'"),
        ({"query": " "}, "column text is empty"),
        ({"query": None}, "column text is empty"),
    ],
)
def test_bad_rows_are_refused_in_one_line(tmp_path, changes, message):
    with pytest.raises(DataError, match=message) as refused:
        load_data(write(tmp_path, broken(**changes)), tmp_path, 0, RANKS)
    assert "row 17" in str(refused.value)
    assert "rows.jsonl" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("candidate", "message"),
    [
        ({"grade": 1}, "candidate 2 must be text that is not empty, got None"),
        ({"text": "b", "grade": "good"}, "the grade of candidate 2 must be a number"),
        ({"text": "b", "grade": True}, "the grade of candidate 2 must be a number"),
        ("b", "candidate 2 must be an object with text and grade like the others, got 'b'"),
    ],
)
def test_bad_objects_are_refused(candidate, message):
    given = [{"text": "a", "grade": 1.0}, candidate]
    if isinstance(candidate, dict):
        given[1] = {"text": None, **candidate}
    with pytest.raises(DataError, match=f"^here: {message}"):
        RANKS.arrange({"text": "q", "candidates": given, "label": None}, "here")


def test_grades_that_come_twice_are_refused():
    row = {"text": "q", "candidates": [{"text": "a", "grade": 1}, {"text": "b"}], "label": [1, 0]}
    with pytest.raises(DataError, match="has grades twice, in a column and in candidates"):
        RANKS.arrange(row, "here")


def test_a_missing_column_of_candidates_is_named(tmp_path):
    rows = [{**row, "books": row["candidates"]} for row in rows_of()]
    for row in rows:
        del row["candidates"]
    data = write(tmp_path, rows)
    with pytest.raises(
        DataError, match=r"has no column 'candidates' \(data.columns.candidates\); found: query"
    ):
        load_data(data, tmp_path, 0, RANKS)
    renamed = data.model_copy(update={"columns": COLUMNS.model_copy(update={"candidates": "books"})})
    loaded = load_data(renamed, tmp_path, 0, RANKS)
    assert "books" not in loaded.table.column_names
    assert loaded.table["candidates"][0].as_py() == ["train 0 text 0", "train 0 text 1"]


def test_carving_keeps_equal_queries_together_and_takes_the_same_share_of_each_best_grade(tmp_path):
    rows = [row for row in rows_of() if row["split"] != "calibration"]
    for i in range(60):
        best = 1.0 if i % 3 else 3.0
        candidates = [f"book {i} {place}" for place in range(3)]
        for query in (f"More {i}", f"more  {i}"):
            rows.append(
                {
                    "query": query,
                    "candidates": [*candidates, query],
                    "grades": [best, 0, 0, None],
                    "split": "train",
                }
            )
    data = write(tmp_path, rows).model_copy(
        update={"carve": {"calibration": Carve(take="train", share=0.25)}}
    )
    loaded = load_data(data, tmp_path, 0, RANKS)
    taken = loaded.split("calibration")
    assert len({text.casefold().replace("  ", " ") for text in taken.texts}) * 2 >= len(taken)
    kept = {" ".join(text.casefold().split()) for text in loaded.split("train").texts}
    assert not kept & {" ".join(text.casefold().split()) for text in taken.texts}
    best = np.nanmax(taken.targets, axis=1)
    assert [(best == grade).sum() for grade in (3, 1)] == [10, 22]  # a quarter of 40, and of 84 in pairs


def test_queries_without_grades_are_for_the_teacher(tmp_path):
    rows = [
        *rows_of(),
        {"query": "new", "candidates": ["a", "b", "c"], "grades": None, "split": "unlabelled"},
    ]
    extra = [
        {"query": "more", "candidates": ["a", "b"], "split": "train"},
        {"query": "QUERY train 0", "candidates": ["a", "b"], "split": "train"},  # known already
        {"query": "unseen", "candidates": ["a", "b"], "split": "test"},
    ]
    write(tmp_path, extra, "extra.jsonl")
    data = write(tmp_path, rows).model_copy(update={"unlabelled": ("extra.jsonl",)})
    loaded = load_data(data, tmp_path, 0, RANKS).split("unlabelled")
    assert loaded.texts == ["new", "more"]
    assert not RANKS.is_known(loaded.targets).any()
    assert (loaded.targets != ABSENT).sum(axis=1).tolist() == [3, 2]
    write(tmp_path, [{"query": "more", "books": ["a"]}], "extra.jsonl")
    with pytest.raises(
        DataError, match=r"extra.jsonl: has no column 'candidates' \(data.columns.candidates\)"
    ):
        load_data(data, tmp_path, 0, RANKS)


def test_rows_contradict_each_other_where_the_same_is_asked(tmp_path):
    same = {"query": "q", "candidates": ["a", "b"], "split": "train"}
    rows = [
        *rows_of(),
        {**same, "grades": [0, 1]},
        {**same, "grades": [1, 0]},
        {**same, "candidates": ["b", "c"], "grades": [1, 0]},
    ]
    _, shared = load_and_compare(write(tmp_path, rows), tmp_path, 0, RANKS)
    assert [len(entry.rows) for entry in shared.contradictions] == [2]
    assert "one text, several labels: 'q'" in describe_shared(shared)[-1]
    assert type(shared).from_json(json.loads(json.dumps(shared.to_json()))) == shared
