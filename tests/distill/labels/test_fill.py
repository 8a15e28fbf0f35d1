import multiprocessing
import random
import signal
import time
from collections import Counter
from pathlib import Path

import labelling_worker as worker
import numpy as np
import pytest
from forked import ensure_server

from edgekd.distill.labels.batches import BATCH_TOKENS, equal_batches
from edgekd.distill.labels.fill import Wanted, fill_store, find_missing
from edgekd.distill.labels.labeller import Labeller
from edgekd.distill.labels.share import Share, parse_share
from edgekd.distill.labels.store import LabelStore
from edgekd.errors import ConfigError

CHEAP = Labeller("cheap", worker.answer)
KILLS = 50


def open_store(folder: Path) -> LabelStore:
    return LabelStore(folder, "teacher", worker.LABELS)


@pytest.fixture(scope="module", autouse=True)
def fork_server():
    """A process that has imported the worker, and forks."""
    ensure_server()


class Process:
    """The cheap labeller in a process of its own."""

    context = multiprocessing.get_context("forkserver")

    def __init__(self, folder: Path, share: str = "1/1") -> None:
        self.channel, theirs = self.context.Pipe(duplex=False)
        self.process = self.context.Process(target=worker.run, args=(str(folder), share, theirs))
        self.process.start()
        theirs.close()

    def count(self) -> int:
        """Wait for the end; returns how many batches were labelled."""
        asked = 0
        while self.channel.recv() == "asked":
            asked += 1
        self.process.join()
        return asked

    def finish(self) -> int:
        """Wait for the end; returns how many rows were added."""
        while not isinstance(added := self.channel.recv(), int):
            pass
        self.process.join()
        assert self.process.exitcode == 0
        return added

    def kill_after(self, batches: int, seconds: float) -> bool:
        """Kill it as `kill -9` does, so long after so many batches; tells whether it still ran."""
        for _ in range(batches + 1):
            if self.channel.recv() != "asked":
                break
        time.sleep(seconds)
        self.process.kill()
        self.process.join()
        return self.process.exitcode == -signal.SIGKILL


def check_whole(folder: Path) -> None:
    """Every row is there once, with its own logits, evidence and tags."""
    store = open_store(folder)
    counts = Counter(key for shard in store.shards for key in shard.keys.tolist())
    assert len(counts) == len(worker.TEXTS) and set(counts.values()) == {1}
    assert np.array_equal(store.read(worker.TEXTS, 2.0)[:], worker.expected())
    for text, place in zip(store.beside(worker.TEXTS[:50]), range(50), strict=True):
        assert text == ((f"row-{place}", "page-1"), (f"tag-{place % 5}",), "cheap")


def test_what_is_labelled_is_not_labelled_again(tmp_path):
    asked = []

    def answer(ids):
        asked.append(ids)
        return worker.answer(ids)

    store, some = open_store(tmp_path), Wanted(*(part[:100] for part in vars(worker.WANTED).values()))
    assert fill_store(store, some, worker.tokenize, Labeller("counting", answer)) == 100
    asked.clear()
    assert fill_store(store, some, worker.tokenize, Labeller("counting", answer)) == 0 and not asked
    more = Wanted(*(part[50:150] for part in vars(worker.WANTED).values()))
    assert fill_store(open_store(tmp_path), more, worker.tokenize, Labeller("counting", answer)) == 50
    assert sum(len(np.unique(ids, axis=0)) for ids in asked) == 50


def test_texts_that_are_there_twice_are_labelled_once(tmp_path):
    twice = Wanted(["a", "b", "a"], [("1",), ("2",), ("3",)], [()] * 3)
    store = open_store(tmp_path)
    assert fill_store(store, twice, worker.tokenize, CHEAP) == 2
    assert [b.evidence for b in store.beside(["a", "b"])] == [("1",), ("2",)]


def test_batches_hold_one_length_and_have_one_shape_a_length():
    tokens = worker.tokenize(worker.TEXTS)
    seen, shapes = [], set()
    for picked, ids in equal_batches(tokens, np.arange(len(tokens))):
        assert set(tokens.lengths[picked].tolist()) == {ids.shape[1]}
        for row, text in zip(ids, picked, strict=False):
            assert row.tolist() == tokens.ids[tokens.starts[text] : tokens.starts[text + 1]].tolist()
        assert (ids[len(picked) :] == ids[0]).all()
        seen += picked.tolist()
        shapes.add(ids.shape)
    assert sorted(seen) == list(range(len(worker.TEXTS)))
    assert len(shapes) == len({length for _, length in shapes})
    assert all(BATCH_TOKENS - length < rows * length <= BATCH_TOKENS for rows, length in shapes)


def test_shares_are_whole_and_do_not_overlap(tmp_path):
    store = open_store(tmp_path)
    parts = [find_missing(store, worker.TEXTS, Share(i, 4)) for i in (1, 2, 3, 4)]
    assert sorted(i for part in parts for i in part) == list(range(len(worker.TEXTS)))
    assert all(600 < len(part) < 900 for part in parts)


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "a/b", "1/", "-1/2", "1/2/3", "1.0/2"])
def test_share_of_another_form_is_refused(text):
    with pytest.raises(ConfigError, match=r"^--shard must be i/n with 1 <= i <= n, as 2/4 .*, got '"):
        parse_share(text)


def test_two_shares_in_two_processes_make_the_whole(tmp_path):
    processes = [Process(tmp_path, f"{i}/2") for i in (1, 2)]
    assert sum(process.finish() for process in processes) == len(worker.TEXTS)
    check_whole(tmp_path)
    assert Process(tmp_path).finish() == 0


def test_two_processes_without_shares_do_the_work_once(tmp_path):
    processes = [Process(tmp_path) for _ in range(2)]
    assert sorted(process.finish() for process in processes) == [0, len(worker.TEXTS)]
    check_whole(tmp_path)


@pytest.mark.long
def test_fifty_kills_lose_and_duplicate_no_row(tmp_path):
    """Ten kills a store, then it is finished; whatever was in a store before a kill is there after it."""
    batches = Process(tmp_path / "undisturbed").count()
    rng, killed, shards = random.Random(0), 0, 0
    for number in range(KILLS // 10):
        folder, known = tmp_path / str(number), {}
        for _ in range(10):
            killed += Process(folder).kill_after(rng.randint(0, batches // 6), rng.uniform(0, 0.002))
            now = {path.name: path.stat().st_ino for path in folder.glob("*.arrow")}
            assert now.items() >= known.items()
            open_store(folder)  # whatever has a shard's name is whole
            known = now
        shards += len(known)
        Process(folder).finish()
        assert {path.name: path.stat().st_ino for path in folder.glob("*.arrow")}.items() >= known.items()
        check_whole(folder)
        assert not list(folder.glob(".*.tmp"))
    assert killed > KILLS * 0.8 and shards > KILLS
