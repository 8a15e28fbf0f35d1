import multiprocessing

import numpy as np
import pytest

from edgekd.distill.labels.kept import TOP, keep_outputs
from edgekd.distill.labels.shard import ShardRows, text_keys
from edgekd.distill.labels.store import Beside, LabelStore
from edgekd.errors import DataError


def rows_of(texts, logits, tag="a") -> ShardRows:
    words = [(f"row of {text}",) for text in texts]
    return ShardRows(text_keys("t", texts), keep_outputs(logits), words, [(tag,)] * len(texts))


def by(name) -> dict:
    return {"name": name}


def draw(rows, labels=5, seed=0):
    return np.random.default_rng(seed).normal(0, 2, (rows, labels)).astype(np.float32)


@pytest.mark.parametrize("labels", [5, 2 * TOP + 9])
def test_texts_are_read_in_the_order_asked_for(tmp_path, labels):
    texts, logits = [f"t{i}" for i in range(50)], draw(50, labels)
    store = LabelStore(tmp_path, "t", labels)
    for start in range(0, 50, 13):
        store.add(rows_of(texts[start : start + 13], logits[start : start + 13]), by("x"))
    order = np.random.default_rng(1).permutation(50)
    for one in (store, LabelStore(tmp_path, "t", labels)):  # as added, and as opened again
        stored = one.read([texts[i] for i in order] + texts[:3], 2.0)
        expected = keep_outputs(logits).expand(2.0)[[*order, 0, 1, 2]]
        assert stored.shape == (53, labels) and len(stored) == 53
        assert np.array_equal(stored[:], expected) and np.array_equal(
            stored[np.array([7, 2])], expected[[7, 2]]
        )
        assert stored[np.empty(0, np.int64)].shape == (0, labels)
        assert one.beside(["t3", "t40"]) == [Beside((f"row of t{i}",), ("a",), "x") for i in (3, 40)]


def test_digest_tells_of_values_and_order_and_not_of_shards(tmp_path):
    texts, logits = [f"t{i}" for i in range(20)], draw(20)
    digests = []
    for name, step in (("one", 20), ("two", 7)):
        store = LabelStore(tmp_path / name, "t", 5)
        for start in range(0, 20, step):
            store.add(rows_of(texts[start : start + step], logits[start : start + step]), by("x"))
        digests.append(store.read(texts, 2.0).digest())
    assert digests[0] == digests[1] != store.read(texts[::-1], 2.0).digest()
    other = LabelStore(tmp_path / "three", "t", 5)
    other.add(rows_of(texts, logits + np.float32(0.01)), by("x"))
    assert other.read(texts, 2.0).digest() != digests[0]


def test_row_that_is_there_is_not_added_again(tmp_path):
    store, texts = LabelStore(tmp_path, "t", 5), ["a", "b", "c"]
    assert store.add(rows_of(texts, draw(3)), by("first")) == 3
    assert store.add(rows_of(["c", "d", "d"], draw(3, seed=1)), by("second")) == 1
    assert LabelStore(tmp_path, "t", 5).add(rows_of(texts, draw(3, seed=2)), by("third")) == 0
    assert len(store) == 4 == len(LabelStore(tmp_path, "t", 5))
    assert [b.labeller for b in store.beside(["c", "d"])] == ["first", "second"]


def test_rows_that_another_process_added_meanwhile_are_left_out(tmp_path):
    one, other = (LabelStore(tmp_path, "t", 5) for _ in range(2))
    assert one.add(rows_of(["a", "b"], draw(2)), by("one")) == 2
    assert other.add(rows_of(["b", "c"], draw(2, seed=1)), by("other")) == 1
    assert one.has(one.keys(["c"])).tolist() == [False]  # looks again when it adds
    assert one.add(rows_of(["c"], draw(1)), by("one")) == 0
    assert other.beside(["b", "c"]) == [
        Beside(("row of b",), ("a",), "one"),
        Beside(("row of c",), ("a",), "other"),
    ]


def test_missing_label_is_one_line(tmp_path):
    store = LabelStore(tmp_path, "t", 5)
    store.add(rows_of(["a"], draw(1)), by("x"))
    with pytest.raises(
        DataError, match=r"2 of 3 texts have no label, the first is 'b'; run edgekd label again$"
    ):
        store.read(["a", "b", "c"], 2.0)


def test_shards_of_another_machine_are_added_by_copying_them(tmp_path):
    here, there = (LabelStore(tmp_path / name, "t", 5) for name in ("here", "there"))
    here.add(rows_of(["a", "b"], draw(2)), by("here"))
    there.add(rows_of(["b", "c"], draw(2, seed=1)), by("there"))
    for path in (tmp_path / "there").glob("*.arrow"):
        (tmp_path / "here" / path.name).write_bytes(path.read_bytes())
    store = LabelStore(tmp_path / "here", "t", 5)
    first = min(store.shards, key=lambda shard: shard.path.name)
    assert [b.labeller for b in store.beside(["a", "b", "c"])] == ["here", first.labeller["name"], "there"]


def test_damaged_shard_is_refused_by_name_and_its_rows_alone_are_missing_without_it(tmp_path):
    store = LabelStore(tmp_path, "t", 5)
    store.add(rows_of(["a", "b"], draw(2)), by("x"))
    store.add(rows_of(["c"], draw(1)), by("x"))
    path = store.shards[0].path
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 64
    path.write_bytes(data)
    with pytest.raises(DataError, match=rf"^{path}: is damaged"):
        LabelStore(tmp_path, "t", 5)
    path.unlink()
    assert LabelStore(tmp_path, "t", 5).has(text_keys("t", ["a", "b", "c"])).tolist() == [False, False, True]


def add_many(folder, number):
    store = LabelStore(folder, "t", 5)
    for start in range(0, 200, 10):
        texts = [f"t{i}" for i in range(start, start + 10)]
        store.add(rows_of(texts, draw(10, seed=start)), by(f"process {number}"))


def test_processes_that_add_the_same_rows_at_once_duplicate_none(tmp_path):
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=add_many, args=(tmp_path, number)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    store = LabelStore(tmp_path, "t", 5)
    assert len(store) == 200 == len({key for shard in store.shards for key in shard.keys.tolist()})
