import json

import numpy as np
import pyarrow as pa
import pytest

from edgekd.distill.labels.kept import TOP, keep_outputs
from edgekd.distill.labels.shard import ShardRows, open_shard, remove_leftovers, text_keys, write_shard
from edgekd.errors import DataError
from edgekd.store import digest_bytes

TEXTS = ["where is my box", "wo ist mein Paket", "漫画", "", "a\ud800"]


def make_rows(texts=TEXTS, labels=5, seed=0) -> ShardRows:
    logits = np.random.default_rng(seed).normal(0, 2, (len(texts), labels)).astype(np.float32)
    words = [tuple(f"{kind}-{i}-{j}" for j in range(i)) for i, kind in enumerate(["doc"] * len(texts))]
    return ShardRows(text_keys("t", texts), keep_outputs(logits), words, [w[:1] for w in words])


@pytest.mark.parametrize("labels", [5, 2 * TOP + 9])
def test_round_trip(tmp_path, labels):
    rows = make_rows(labels=labels)
    shard = open_shard(write_shard(tmp_path, "t", rows, {"name": "by hand"}), "t", labels)
    order = np.argsort(rows.keys)
    assert shard.labeller == {"name": "by hand"} and shard.keys.tolist() == rows.keys[order].tolist()
    assert np.array_equal(shard.kept.top, rows.kept.top[order]) and shard.kept.top.dtype == np.float16
    if labels > 5:
        assert np.array_equal(shard.kept.index, rows.kept.index[order])
        assert np.array_equal(shard.kept.rest, rows.kept.rest[order])
    for name, words in (("evidence", rows.evidence), ("tags", rows.tags)):
        assert shard.batch.column(name).to_pylist() == [list(words[i]) for i in order]


def test_columns_are_mapped_and_any_reader_of_arrow_reads_them(tmp_path):
    path = write_shard(tmp_path, "t", make_rows(), {"name": "by hand"})
    before = pa.total_allocated_bytes()
    shard = open_shard(path, "t", 5)
    assert pa.total_allocated_bytes() - before < 1024 and not shard.kept.top.flags.owndata
    with pa.memory_map(str(path)) as file:
        table = pa.ipc.open_file(file).read_all()
    assert table.column_names == ["key", "top", "evidence", "tags"]
    notes = json.loads(table.schema.metadata[b"edgekd"])
    assert notes["teacher"] == "t" and 0 < notes["worst_error_bound_nats"]["2"] < 1e-6


def test_same_rows_are_the_same_file(tmp_path):
    assert write_shard(tmp_path, "t", make_rows(), {"name": "x"}) == write_shard(
        tmp_path, "t", make_rows(), {"name": "x"}
    )
    assert len(list(tmp_path.iterdir())) == 1


def test_keys_tell_teachers_and_texts_apart():
    keys = {*text_keys("t", TEXTS).tolist(), *text_keys("u", TEXTS).tolist()}
    assert len(keys) == 10 and text_keys("t", TEXTS[1:2])[0] == text_keys("t", TEXTS)[1]
    assert text_keys("t", ["x"]).view("u1").shape == (16,)


@pytest.mark.parametrize("place", [0, 9, 100, 0.3, 0.5, 0.8, -9, -1])
def test_flipped_byte_is_refused_by_name(tmp_path, place):
    path = write_shard(tmp_path, "t", make_rows(), {"name": "x"})
    data = bytearray(path.read_bytes())
    data[int(place * len(data)) if isinstance(place, float) else place] ^= 1
    path.write_bytes(data)
    with pytest.raises(
        DataError, match=rf"^{path}: is damaged: its sha256 is .*…, its name says .*…; remove"
    ) as error:
        open_shard(path, "t", 5)
    assert "\n" not in str(error.value)


def test_cut_and_empty_files_are_refused_by_name(tmp_path):
    path = write_shard(tmp_path, "t", make_rows(), {"name": "x"})
    data = path.read_bytes()
    for cut in (0, 1, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:cut])
        with pytest.raises(DataError, match=rf"^{path}: is damaged"):
            open_shard(path, "t", 5)


def test_shard_of_another_store_is_refused_by_name(tmp_path):
    path = write_shard(tmp_path, "t", make_rows(), {"name": "x"})
    with pytest.raises(DataError, match=rf"^{path}: teacher is 't', expected 'u'; remove the file"):
        open_shard(path, "u", 5)
    with pytest.raises(DataError, match=rf"^{path}: labels is 5, expected 6; remove the file"):
        open_shard(path, "t", 6)


def test_file_that_is_no_shard_is_refused_by_name(tmp_path):
    plain = pa.BufferOutputStream()
    with pa.ipc.new_file(plain, pa.schema([("x", pa.int8())])) as file:
        file.write_batch(pa.record_batch({"x": pa.array([1], pa.int8())}))
    for data in (b"no Arrow file", plain.getvalue().to_pybytes()):
        path = tmp_path / f"{digest_bytes(data)}.arrow"
        path.write_bytes(data)
        with pytest.raises(DataError, match=rf"^{path}: is not a shard of soft labels; remove the file$"):
            open_shard(path, "t", 5)


def test_leftovers_are_removed_and_nothing_else(tmp_path):
    path = write_shard(tmp_path, "t", make_rows(), {"name": "x"})
    (tmp_path / ".abc.tmp").write_bytes(b"half")
    (tmp_path / ".lock").touch()
    remove_leftovers(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {path.name, ".lock"}
