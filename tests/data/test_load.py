import gzip
import json

import pytest

from edgekd.config import Carve, Columns, Data
from edgekd.data.load import load_data
from edgekd.data.taskdata import open_data, save_data
from edgekd.errors import DataError

ROWS = [
    {"text": f"text {split} {i}", "label": label, "split": split, "n": i}
    for split in ("train", "calibration", "val", "test")
    for i, label in enumerate(["a", "b", "a", "b"])
]
COLUMNS = Columns(split="split")


def write(folder, rows, name="rows.jsonl"):
    text = "\n".join(json.dumps(row) for row in rows)
    if name.endswith(".gz"):
        (folder / name).write_bytes(gzip.compress(text.encode()))
    else:
        (folder / name).write_text(text, encoding="utf-8")
    return Data(source=name, columns=COLUMNS)


def test_formats_give_the_same_rows(tmp_path):
    import pyarrow as pa
    from pyarrow import csv, parquet

    table = pa.Table.from_pylist(ROWS)
    csv.write_csv(table, tmp_path / "rows.csv")
    parquet.write_table(table, tmp_path / "rows.parquet")
    loaded = [
        load_data(write(tmp_path, ROWS), tmp_path),
        load_data(write(tmp_path, ROWS, "rows.jsonl.gz"), tmp_path),
        load_data(Data(source="rows.csv", columns=COLUMNS), tmp_path),
        load_data(Data(source="rows.parquet", columns=COLUMNS), tmp_path),
    ]
    assert len({data.digest for data in loaded}) == 1
    assert loaded[0].counts() == {"train": 4, "calibration": 4, "validation": 4, "test": 4}
    assert loaded[0].outputs == ("a", "b")
    assert loaded[0].split("test").classes.tolist() == [0, 1, 0, 1]


def test_a_file_a_split(tmp_path):
    for split in ("train", "calibration", "validation", "test"):
        rows = [{"text": f"{split}{i}", "label": "ab"[i % 2]} for i in range(4)]
        write(tmp_path, rows, f"{split}.jsonl")
    names = {split: f"{split}.jsonl" for split in ("train", "calibration", "validation", "test")}
    data = load_data(Data(source=names), tmp_path)
    assert data.ids[0] == "train-1"
    assert len(data.split("test")) == 4


def test_carving_takes_the_same_share_of_each_class_and_never_the_test_split(tmp_path):
    rows = [row for row in ROWS if row["split"] != "calibration"]
    rows += [{"text": f"more {i}", "label": "a" if i < 60 else "b", "split": "train"} for i in range(80)]
    data = write(tmp_path, rows)
    carved = load_data(
        data.model_copy(update={"carve": {"calibration": Carve(take="train", share=0.1)}}), tmp_path
    )
    classes = carved.split("calibration").classes
    assert [(classes == c).sum() for c in (0, 1)] == [7, 3]  # a tenth of 62 and of 22, rounded up
    assert len(carved.split("train")) == 84 - 10
    again = load_data(
        data.model_copy(update={"carve": {"calibration": Carve(take="train", share=0.1)}}), tmp_path
    )
    assert again.digest == carved.digest
    with pytest.raises(ValueError, match="test split can neither"):
        Data(source="x", carve={"test": {"take": "train", "share": 0.1}})


def test_saved_rows_are_read_back(tmp_path):
    data = load_data(write(tmp_path, ROWS), tmp_path)
    save_data(data, tmp_path / "saved")
    again = open_data(tmp_path / "saved")
    assert again.table.equals(data.table)
    assert again.digest == data.digest
    del again.__dict__["digest"]
    assert again.digest == data.digest


def test_hub_name_that_cannot_be_had(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    with pytest.raises(DataError, match="hf:nobody/nothing: cannot be loaded"):
        load_data(Data(source="hf:nobody/nothing", columns=COLUMNS), tmp_path)


def test_hub_dataset_from_a_local_folder(tmp_path):
    """A folder is loaded by the very call that loads a hub name."""
    for split in ("train", "validation", "test"):
        write(tmp_path, [{"text": f"{split} {i}", "label": "ab"[i % 2]} for i in range(8)], f"{split}.jsonl")
    data = Data(source=f"hf:{tmp_path}", carve={"calibration": Carve(take="train", share=0.3)})
    assert load_data(data, tmp_path).counts() == {"train": 4, "calibration": 4, "validation": 8, "test": 8}


def test_splits_that_are_not_named_are_left_out(tmp_path):
    rows = [*ROWS, {"text": "x", "label": "zzz", "split": "extra"}]
    splits = {"train": ["train"], "calibration": ["calibration"], "validation": ["val"], "test": ["test"]}
    data = write(tmp_path, rows).model_copy(update={"splits": splits})
    assert load_data(data, tmp_path).outputs == ("a", "b")
    with pytest.raises(DataError, match="row 17: split 'extra' is not known"):
        load_data(write(tmp_path, rows), tmp_path)


def test_carving_from_a_split_without_rows_names_those_that_have_some(tmp_path):
    rows = [row for row in ROWS if row["split"] != "calibration"]
    data = write(tmp_path, rows).model_copy(
        update={"carve": {"calibration": Carve(take="unlabelled", share=0.1)}}
    )
    with pytest.raises(DataError, match="has no rows; take from one of: test, train, validation"):
        load_data(data, tmp_path)
