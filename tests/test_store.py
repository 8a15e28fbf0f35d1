import json
import multiprocessing
import time
from contextlib import contextmanager

import pytest

from edgekd.store import Store, digest_json, locked, resume_folder, write_atomic


def write(text, calls=None):
    def build(folder):
        if calls is not None:
            calls.append(text)
        (folder / "sub").mkdir()
        (folder / "sub" / "out.txt").write_text(text)

    return build


def test_a_finished_stage_is_not_built_again(tmp_path):
    calls = []
    first = Store(tmp_path).run("s", 1, {"a": 1}, write("x", calls))
    second = Store(tmp_path).run("s", 1, {"a": 1}, write("x", calls))
    assert calls == ["x"] and not first.cached and second.cached
    assert first.digest == second.digest and first.path == second.path


@pytest.mark.parametrize(("version", "reads"), [(2, {"a": 1}), (1, {"a": 2}), (1, {"a": 1, "b": None})])
def test_what_a_stage_reads_decides_its_key(tmp_path, version, reads):
    store = Store(tmp_path)
    assert store.run("s", 1, {"a": 1}, write("x")).key != store.run("s", version, reads, write("x")).key


def test_logs_are_kept_but_are_not_the_result(tmp_path):
    def build(line):
        def inner(folder):
            (folder / "logs").mkdir()
            (folder / "logs" / "t.jsonl").write_text(line)
            (folder / "w").write_text("same")

        return inner

    one = Store(tmp_path / "1").run("s", 1, {}, build("1 s"))
    two = Store(tmp_path / "2").run("s", 1, {}, build("2 s"))
    assert one.digest == two.digest and (two.path / "logs" / "t.jsonl").read_text() == "2 s"


def test_a_failed_build_leaves_nothing_but_its_resume_folder(tmp_path):
    store = Store(tmp_path)

    def fail(folder):
        (resume_folder(folder) / "epoch").write_text("3")
        (folder / "half").write_text("x")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="space"):
        store.run("s", 1, {}, fail)
    seen = {}

    def go_on(folder):
        seen["epoch"] = (resume_folder(folder) / "epoch").read_text()
        seen["half"] = (folder / "half").exists()
        (folder / "out").write_text("done")

    stage = store.run("s", 1, {}, go_on)
    assert seen == {"epoch": "3", "half": False}
    assert sorted(p.name for p in stage.path.iterdir()) == ["out", "stage.json"]


@pytest.mark.parametrize("damage", ["flip", "delete", "record"])
def test_a_damaged_result_is_built_again(tmp_path, damage):
    store = Store(tmp_path)
    stage = store.run("s", 1, {}, write("x"))
    target = stage.path / "sub" / "out.txt"
    if damage == "flip":
        target.write_text("y")
    elif damage == "delete":
        target.unlink()
    else:
        (stage.path / "stage.json").write_text("{")
    again = store.run("s", 1, {}, write("x"))
    assert not again.cached and again.digest == stage.digest and target.read_text() == "x"


def _slow(root, log):
    def build(folder):
        with log.open("a") as file:
            file.write("built\n")
        time.sleep(0.3)
        (folder / "out").write_text("x")

    Store(root).run("s", 1, {}, build)


def test_two_processes_build_a_stage_once(tmp_path):
    log = tmp_path / "log"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_slow, args=(tmp_path / "store", log)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert log.read_text() == "built\n"


def test_write_atomic_replaces_and_leaves_no_temporary(tmp_path):
    write_atomic(tmp_path / "a.json", "1")
    write_atomic(tmp_path / "a.json", "2")
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
    assert json.loads((tmp_path / "a.json").read_text()) == 2


def test_digest_refuses_nan():
    with pytest.raises(ValueError, match="Out of range"):
        digest_json(float("nan"))


def wait_for_another(root, pipe):
    @contextmanager
    def waiting():
        pipe.send("waits")
        yield
        pipe.send("waited")

    stage = Store(root).run("s", 1, {}, write("theirs"), waiting)
    pipe.send((stage.cached, (stage.path / "sub" / "out.txt").read_text()))


def test_it_is_said_that_another_process_builds_a_stage(tmp_path):
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()

    def build(folder):
        other.start()
        assert ours.poll(60) and ours.recv() == "waits"
        write("ours")(folder)

    other = context.Process(target=wait_for_another, args=(tmp_path, theirs))
    Store(tmp_path).run("s", 1, {}, build)
    assert [ours.recv() for _ in range(2)] == ["waited", (True, "ours")]
    other.join(60)


def test_a_stage_can_be_looked_for_without_building_it(tmp_path):
    store = Store(tmp_path)
    assert store.find("s", 1, {}) is None
    made = store.run("s", 1, {}, write("x"))
    found = store.find("s", 1, {})
    assert (found.digest, found.path, found.cached) == (made.digest, made.path, True)


def test_it_is_kept_how_long_a_stage_took_beside_its_digest(tmp_path):
    def slowly(folder):
        time.sleep(0.05)
        write("x")(folder)

    store = Store(tmp_path)
    assert store.took("s") is None
    slow, quick = store.run("s", 1, {"a": 1}, slowly), store.run("s", 1, {"a": 2}, write("x"))
    assert slow.seconds >= 0.05 > quick.seconds and slow.digest == quick.digest
    assert store.run("s", 1, {"a": 1}, slowly).seconds == store.find("s", 1, {"a": 1}).seconds == slow.seconds
    assert store.took("s") == quick.seconds  # of the newest


def test_a_lock_can_be_shared_and_one_who_wants_it_alone_waits(tmp_path):
    one, other = (locked(tmp_path / "lock", _never, shared=True) for _ in range(2))
    with one, other, pytest.raises(TimeoutError), locked(tmp_path / "lock", _never):
        pass
    with locked(tmp_path / "lock", _never):
        pass


def _never():
    raise TimeoutError
