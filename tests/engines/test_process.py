"""Steps that are made in this process."""

import multiprocessing
import time
from contextlib import nullcontext

import pytest
from worked_steps import step

from edgekd.engines.look import find_made, look
from edgekd.engines.process import Process
from edgekd.errors import ParityError
from edgekd.progress import silent
from edgekd.store import Store


def open_engine(folder, notes=None):
    said = [] if notes is None else notes
    return Process(Store(folder), lambda title: nullcontext(silent), said.append)


def test_what_a_step_rests_on_is_made_first_and_once(tmp_path):
    notes = []
    engine = open_engine(tmp_path, notes)
    ground = step("a")
    top = engine.make(step("top", step("l", ground), step("r", ground)))
    assert (top.path / "words").read_text() == "a l a r top"
    assert [note.partition(":")[0] for note in notes] == ["a", "l", "r", "top"]
    assert all(": done in " in note for note in notes)
    engine.make(step("top", step("l", ground), step("r", ground)))
    assert len(notes) == 4  # nothing is said twice
    again = []
    assert open_engine(tmp_path, again).make(step("l", ground)).cached
    assert again == ["a: cached", "l: cached"]


def test_what_rests_on_a_failed_step_failed_and_the_rest_is_made(tmp_path):
    engine = open_engine(tmp_path)
    bad, good = step("bad", kind="fail"), step("good")
    top = step("top", bad)
    with pytest.raises(ParityError, match="bad answers otherwise"):
        engine.make(top)
    failed = engine.run_all([top, good], (ParityError,))
    assert {one.name: str(error) for one, error in failed.items()} == dict.fromkeys(
        ("bad", "top"), "bad answers otherwise"
    )
    assert engine.made.keys() == {good}


def make_alone(folder, log):
    open_engine(folder).make(slow(log, "alone", alone=True))


def slow(log, name, **more):
    return step(name, kind="write_slowly", how={"log": str(log), "seconds": 0.5}, **more)


def test_a_step_that_is_alone_shares_the_machine_with_no_other(tmp_path):
    log = tmp_path / "log"
    child = multiprocessing.get_context("spawn").Process(target=make_alone, args=(tmp_path, log))
    child.start()
    while not log.exists():
        time.sleep(0.01)
    notes = []
    open_engine(tmp_path, notes).make(slow(log, "other"))
    child.join(60)
    words = [line.rpartition(" in ")[0] for line in log.read_text().splitlines()]
    assert words == ["alone begins", "alone ends", "other begins", "other ends"]


def test_it_is_known_what_there_is_and_how_long_it_took(tmp_path):
    engine = open_engine(tmp_path)
    top = step("top", step("a"))
    assert [(seen.step.name, seen.stage, seen.seconds) for seen in look(engine.store, [top])] == [
        ("a", None, None),
        ("top", None, None),
    ]
    assert not any(tmp_path.iterdir())  # looking writes nothing
    engine.make(top)
    assert list(find_made(engine.store, [top])) == [step("a"), top]
    assert all(seen.stage and seen.seconds >= 0 for seen in look(engine.store, [top]))
    newer = step("top", step("b"))
    ground, seen = look(engine.store, [newer])
    assert (ground.stage, ground.seconds) == (None, None)
    assert seen.stage is None and seen.seconds is not None  # the newest result of that name took so long
