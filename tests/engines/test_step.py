"""What a step is, and what of it decides its key."""

import pytest
from worked_steps import step

from edgekd.engines.packing import pack_steps, unpack_steps
from edgekd.engines.step import Folder, Step, in_order
from edgekd.store import Store


def make(store, one, made):
    folders = one.folders(made)
    build = lambda folder: one.build(folder, folders, lambda share, words: None)  # noqa: E731
    made[one] = store.run(one.name, one.version, one.key_reads(folders), build)
    return made[one]


def test_steps_that_read_and_do_the_same_are_equal():
    assert step("a") == step("a") and hash(step("a")) == hash(step("a"))
    assert step("b", step("a")) == step("b", step("a")) != step("b", step("c"))
    assert step("b", step("a").part("first")) != step("b", step("a"))


def test_a_step_comes_after_what_it_reads_and_once():
    ground = step("a")
    left, right = step("l", ground), step("r", step("a"))
    assert [one.name for one in in_order([step("top", right, left), left])] == ["a", "r", "l", "top"]


@pytest.mark.parametrize(
    "other",
    [
        Step("s", 1, "m:f", {"x": 2}),
        Step("s", 1, "m:f", {"x": 1}, reads={"library": "2"}),
        Step("s", 1, "m:f", {"x": 1}, {"rows": Folder(None, "digest")}),
    ],
)
def test_settings_inputs_and_reads_decide_the_key(other):
    one = Step("s", 1, "m:f", {"x": 1})
    assert one.key_reads(one.folders({})) != other.key_reads(other.folders({}))


def test_how_it_is_done_decides_nothing(tmp_path):
    one, other = Step("s", 1, "m:f", how={"threads": 1}), Step("s", 1, "m:f", how={"threads": 2})
    assert one.key_reads({}) == other.key_reads({}) and one != other


def test_a_part_is_read_by_its_own_digest(tmp_path):
    store, made = Store(tmp_path), {}
    for name in ("apple", "acorn"):
        make(store, step(name), made)
    keys = [
        make(
            store, Step("top", 1, "worked_steps:write", {"word": "w"}, {"0": step(name).part("first")}), made
        )
        for name in ("apple", "acorn")
    ]
    assert keys[0].key == keys[1].key  # both begin with the same letter
    assert (keys[1].path / "words").read_text() == "apple w"
    whole = step("top", step("apple").part("first", "whole", at="sub")).folders(made)["0"]
    assert whole.path == made[step("apple")].path / "sub" and len(whole.digest) == 64


def test_steps_can_be_written_down_and_read_back(tmp_path):
    store, made = Store(tmp_path), {}
    make(store, step("a"), made)
    folder = Folder(tmp_path / "rows", "digest")
    reads = {"0": step("a").part("first", at="sub"), "1": step("l", step("a")), "2": folder}
    top = Step("top", 2, "m:f", {"x": [1.5, None]}, reads, {"library": "1"}, {"threads": 2}, True, True)
    steps, there = unpack_steps(pack_steps([top], made))
    assert [one.name for one in steps] == ["a", "l", "top"] and steps[-1] == top
    assert there == made and there[step("a")].path == made[step("a")].path
