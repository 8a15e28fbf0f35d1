import gzip
import json

import pytest

from edgekd.config import Columns, Data
from edgekd.data.load import load_data
from edgekd.data.source import describe_source
from edgekd.errors import DataError

ROWS = [
    {"text": f"text {split} {i}", "label": "ab"[i % 2], "split": split}
    for split in ("train", "calibration", "val", "test")
    for i in range(4)
]


def write(folder, rows, name):
    text = "\n".join(json.dumps(row) for row in rows).encode()
    (folder / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)


def load(folder, *names):
    write(folder, ROWS, "rows.jsonl")
    data = Data(source="rows.jsonl", columns=Columns(split="split"), unlabelled=names)
    return load_data(data, folder), describe_source(data, folder)


def test_texts_of_other_files_are_for_the_teacher_to_label(tmp_path):
    write(tmp_path, [{"text": "new", "label": "z"}, {"text": "newer", "label": "z"}], "more.jsonl.gz")
    data, source = load(tmp_path, "more.jsonl.gz")
    alone, _ = load(tmp_path)
    added = data.split("unlabelled")
    assert added.texts == ["new", "newer"] and added.ids == ["more-1", "more-2"]
    assert added.classes.tolist() == [-1, -1] and data.outputs == ("a", "b")
    assert data.split("train").digest == alone.split("train").digest
    assert len(source) == 2


def test_files_of_one_name_are_told_apart(tmp_path):
    for folder in ("shop", "bank"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder, [{"text": f"text of a {folder}"}], "rows.jsonl")
    data, _ = load(tmp_path, "shop/rows.jsonl", "bank/rows.jsonl")
    assert data.split("unlabelled").ids == ["rows-1", "rows.2-1"]


def test_of_a_data_set_only_training_rows_are_read(tmp_path):
    rows = [{"text": split, "split": split} for split in ("train", "unlabelled", "val", "test")]
    write(tmp_path, rows, "other.jsonl")
    data, _ = load(tmp_path, "other.jsonl")
    assert data.split("unlabelled").texts == ["train", "unlabelled"]


def test_no_text_that_is_known_or_judged(tmp_path):
    texts = ["text test 1", "text val 2", "text train 3", "new", "new"]
    write(tmp_path, [{"text": text} for text in texts], "more.jsonl")
    data, _ = load(tmp_path, "more.jsonl")
    assert data.split("unlabelled").texts == ["new"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"words": "a"}], "more.jsonl: has no column 'text' (data.columns.text); found: words"),
        ([{"text": "a"}, {"text": " "}], "id more-2"),
        ([{"text": ["a"]}, {"text": ["b"]}], "must be text"),
        ([{"text": None}, {"text": "a"}], "id more-1"),
    ],
)
def test_bad_files_are_refused(tmp_path, rows, message):
    write(tmp_path, rows, "more.jsonl")
    with pytest.raises(DataError) as caught:
        load(tmp_path, "more.jsonl")
    assert message in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.csv: no such file"):
        load(tmp_path, "nowhere.csv")
