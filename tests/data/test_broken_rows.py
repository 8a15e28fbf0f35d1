"""Rows that are nearly right: refused by file, row and column, or read as what they mean."""

import gzip
import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet
import pytest
from pydantic import ValidationError

from edgekd.config import Columns, Data
from edgekd.data.load import load_data
from edgekd.data.taskdata import open_data, save_data
from edgekd.errors import DataError

COLUMNS = Columns(split="split", id="id")
SPLITS = ("train", "calibration", "validation", "test")


def make_rows(count=4):
    return [
        {"id": f"{split}{i}", "text": f"{split} text {i}", "label": "ab"[i % 2], "split": split}
        for split in SPLITS
        for i in range(count)
    ]


def load_lines(folder, rows, columns=COLUMNS):
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    (folder / "rows.jsonl").write_text(text, encoding="utf-8")
    return load_data(Data(source="rows.jsonl", columns=columns), folder)


@pytest.mark.parametrize(
    ("place", "column", "value", "words"),
    [
        (5, "text", "half \ud83d", r"rows.jsonl: line 6: column 'text': holds \\ud83d, half of a character"),
        (6, "more", ["\ude00"], r"rows.jsonl: line 7: column 'more': holds \\ude00"),
        (7, "text", 7, r"rows.jsonl: row 8 \(id calibration3\): column text must be text, got 7"),
        (8, "text", ["a"], r"rows.jsonl: row 9 \(id validation0\): column text must be text"),
        (9, "label", 3, r"rows.jsonl: row 10 \(id validation1\): column label must be text, got 3; quote it"),
        (9, "label", True, "row 10 .*column label must be text, got True"),
        (9, "label", 2**70, "row 10 .*column label must be text, got 1180591620717411303424"),
        (10, "id", None, "row 11: column id is empty"),
        (11, "id", {"a": 1}, "row 12: column id must be text or a number"),
        (11, "id", "train0", r"row 12 \(id train0\): id is also that of rows.jsonl: row 1 "),
        (12, "split", "exam", "row 13: split 'exam' is not known"),
    ],
)
def test_the_row_that_is_wrong_is_named_once(tmp_path, place, column, value, words):
    rows = make_rows()
    rows[place][column] = value
    with pytest.raises(DataError, match=words) as caught:
        load_lines(tmp_path, rows)
    assert str(caught.value).replace("that of rows.jsonl", "").count("rows.jsonl") == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"text": "a", "text": "b"}', "line 17: key 'text' stands there twice"),
        ('{"text": ' + "[" * 100_000, "line 17: is nested deeper"),
        ('{"text": ' + "[" * 40 + "]" * 40 + "}", "line 17: column 'text': is nested deeper"),
        ('{"text": ' + "9" * 5000 + "}", "line 17: is not JSON: Exceeds the limit"),
        ("[1]", "line 17: expected an object, got list"),
        ("{", "line 17: is not JSON"),
    ],
)
def test_lines_that_are_no_rows(tmp_path, line, words):
    with pytest.raises(DataError, match=words):
        load_lines(tmp_path, [*make_rows(), line])


def test_ids_are_text_however_long(tmp_path):
    rows = [{**row, "id": 18329103420363166823 + place} for place, row in enumerate(make_rows())]
    data = load_lines(tmp_path, rows)
    assert data.ids[0] == "18329103420363166823" and len(set(data.ids)) == len(rows)
    save_data(data, tmp_path / "kept")
    assert open_data(tmp_path / "kept").ids == data.ids
    mixed = [{**row, "id": place if place % 2 else f"a{place}"} for place, row in enumerate(make_rows())]
    assert load_lines(tmp_path, mixed).ids[:3] == ["a0", "1", "a2"]


def test_further_columns_of_several_types_are_text(tmp_path):
    values = [2**70, "K3A", 1.5, None, [1], {"a": 1}]
    rows = [{**row, "more": values[place % 6]} for place, row in enumerate(make_rows())]
    found = load_lines(tmp_path, rows).table["more"].to_pylist()
    assert found[:6] == [str(2**70), "K3A", "1.5", None, "[1]", '{"a": 1}']


def write_splits(folder, columns):
    """Write a file per split; `columns` gives the further column of each."""
    names = {}
    for split in SPLITS:
        rows = [row for row in make_rows() if row["split"] == split]
        lines = ["text,label,postcode", *(f"{r['text']},{r['label']},{columns[split]}" for r in rows)]
        names[split] = f"{split}.csv"
        (folder / names[split]).write_text("\n".join(lines) + "\n")
    return load_data(Data(source=names), folder)


def test_a_column_has_one_type_over_all_files_and_text_wins(tmp_path):
    data = write_splits(
        tmp_path, {"train": "01000", "calibration": "10120", "validation": "10144", "test": "K3A 0B1"}
    )
    assert data.table.schema.field("postcode").type == pa.string()
    assert data.table["postcode"].to_pylist()[::4] == ["01000", "10120", "10144", "K3A 0B1"]


def test_numbers_agree_with_numbers_and_with_nothing(tmp_path):
    data = write_splits(tmp_path, {"train": "1", "calibration": "2.5", "validation": "", "test": "3"})
    assert data.table.schema.field("postcode").type == pa.float64()
    assert data.table["postcode"].to_pylist()[::4] == [1.0, 2.5, None, 3.0]


@pytest.mark.parametrize(
    ("one", "other"), [("true", "1"), ("2026-01-01", "2026-01-01 10:00:00"), ("true", "K3A")]
)
def test_other_types_that_disagree_are_text(tmp_path, one, other):
    data = write_splits(tmp_path, {"train": one, "calibration": one, "validation": one, "test": other})
    assert data.table["postcode"].to_pylist()[::4] == [one, one, one, other]


def test_types_of_parquet_that_python_has_not(tmp_path):
    table = pa.Table.from_pylist(make_rows())
    far = pa.array([2**40] * len(table), pa.timestamp("s"))
    pyarrow.parquet.write_table(table.append_column("seen", far), tmp_path / "rows.parquet")
    with pytest.raises(DataError, match=r"rows.parquet: column 'seen' of type timestamp\[ms\] holds a value"):
        load_data(Data(source="rows.parquet", columns=COLUMNS), tmp_path)
    twice = table.append_column("text", table["label"])
    pyarrow.parquet.write_table(twice, tmp_path / "rows.parquet")
    with pytest.raises(DataError, match=r"two columns named 'text'|not Parquet"):
        load_data(Data(source="rows.parquet", columns=COLUMNS), tmp_path)
    near = pa.array([datetime(2026, 1, 1, tzinfo=UTC)] * len(table))
    pyarrow.parquet.write_table(table.append_column("seen", near), tmp_path / "rows.parquet")
    assert len(load_data(Data(source="rows.parquet", columns=COLUMNS), tmp_path)) == len(table)


def test_a_packed_file_that_never_ends_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("edgekd.data.files._MOST_BYTES", 1 << 20)
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(b" " * (2 << 20)))
    with pytest.raises(DataError, match="holds more than"):
        load_data(Data(source="rows.jsonl.gz", columns=COLUMNS), tmp_path)


@pytest.mark.parametrize(
    "columns",
    [
        {"text": "label"},
        {"label": "text"},
        {"split": "label"},
        {"id": "split", "split": "split"},
        {"text": ""},
    ],
)
def test_each_column_is_another_one(columns):
    with pytest.raises(ValidationError, match=r"are both|is empty"):
        Columns(**columns)
    assert Columns(id="text").id == "text"


def test_unlabelled_rows_may_lack_a_label_and_have_none_of_another_type(tmp_path):
    more = [{"id": f"u{i}", "text": f"more {i}", "label": None, "split": "unlabelled"} for i in range(3)]
    assert load_lines(tmp_path, [*make_rows(), *more]).counts()["unlabelled"] == 3
    more[1]["label"] = 7
    with pytest.raises(DataError, match=r"row 18 \(id u1\): column label must be string, got 7"):
        load_lines(tmp_path, [*make_rows(), *more])
