import dataclasses
from itertools import islice

import numpy as np
import pytest

from edgekd.errors import BadInputError, MeasurementError
from edgekd.measure.bench_file import load_bench
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.round import block_orders, start_order
from edgekd.measure.samples import read_samples
from edgekd.measure.session import measure_subjects
from edgekd.measure.subject import Subject

TEXTS = [f"text {number}" for number in range(50)]


def test_blocks_take_turns_in_palindromes():
    assert list(islice(block_orders(2), 2)) == [[0, 1, 1, 0], [1, 0, 0, 1]]
    for order in islice(block_orders(5), 7):
        assert order == order[::-1]
        assert sorted(order) == sorted([*range(5)] * 2)


def test_every_subject_starts_first_equally_often():
    for count in (1, 2, 3, 5):
        firsts = [start_order(count, number)[0] for number in range(2 * count)]
        assert all(firsts.count(position) == 2 for position in range(count))
        assert all(sorted(start_order(count, number)) == [*range(count)] for number in range(9))


def test_a_subject_twice_as_slow_is_found_and_itself_is_not(tmp_path):
    subjects = [
        Subject("a", "subjects:spin", ("50",)),
        Subject("b", "subjects:spin", ("100",)),
        Subject("again", "subjects:spin", ("50",)),
    ]
    said = []
    plan = MeasurePlan(rounds=6, seconds=0.1, warmup_seconds=0.02)
    result = measure_subjects(subjects, TEXTS, tmp_path, plan, lambda *step: said.append(step))
    twice, same = result.ratio("b", "a"), result.ratio("again", "a")
    assert twice.low <= 2.0 * 1.02
    assert twice.high >= 2.0 / 1.02
    assert twice.estimate == pytest.approx(2.0, rel=0.05)
    assert same.estimate == pytest.approx(1.0, rel=0.05)
    assert same.low <= 1.01
    assert same.high >= 0.99
    for name, us in (("a", 50), ("b", 100)):
        p50 = result.percentile(name, 0.5)
        assert us * 1000 <= p50.estimate < us * 1000 * 1.2
        assert result.percentile(name, 0.95) is not None
        assert result.percentile(name, 0.99999) is None
    assert result.overhead_ns < 1000
    assert said[0] == (0.0, "round 1 of 6")
    assert said[-1] == (1.0, "measured")
    assert load_bench(tmp_path) == result
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]
    check_files(result)


def test_what_a_length_costs_once_is_no_latency(tmp_path):
    texts = ["x" * length for length in range(1, 61)]  # the checked answers end before the last of them
    plan = MeasurePlan(rounds=2, seconds=0.4, warmup_seconds=0)
    result = measure_subjects([Subject("a", "subjects:prepares_by_length")], texts, tmp_path, plan)
    slow = [int((samples.ns > 4_500_000).sum()) for samples in result.samples("a")]
    assert max(slow) <= 2  # what the machine does, not what 44 lengths would


def check_files(result):
    """Every subject had its seconds, and walked the same permutation in each round, another in the next."""
    walks = {}
    for name in ("a", "b"):
        bench = result.subject(name)
        assert [process.round for process in bench.processes] == [*range(6)]
        for process, samples in zip(bench.processes, result.samples(name), strict=True):
            assert len(samples) > 0
            assert process.timed_ns >= result.plan.seconds * 1e9
            assert process.blocks >= 2
            assert len(np.load(result.folder / process.warmup)) > 0
            assert sorted(samples.inputs[: len(TEXTS)].tolist()) == [*range(len(TEXTS))]
            walks.setdefault(process.round, set()).add(tuple(samples.inputs[: len(TEXTS)].tolist()))
    assert [len(walk) for walk in walks.values()] == [1] * 6
    assert len(set.union(*walks.values())) == 6


def test_calls_longer_than_a_block_are_not_doubled(tmp_path):
    plan = MeasurePlan(rounds=2, seconds=0.1, warmup_seconds=0, block_ms=5)
    result = measure_subjects([Subject("slow", "subjects:spin", ("10000",))], ["a"] * 2, tmp_path, plan)
    for process in result.subject("slow").processes:
        count = len(read_samples(tmp_path / process.samples))
        assert 2 <= count <= 10  # fewer on a machine that runs other things meanwhile
        assert len(np.load(tmp_path / process.samples)) <= count + 1


@pytest.mark.parametrize(
    ("factory", "args", "said"),
    [
        ("nowhere:f", (), "ModuleNotFoundError: No module named 'nowhere'"),
        ("subjects:nothing", (), "has no attribute 'nothing'"),
        ("subjects:raises_at_build", ("no such file",), "exit code 1 while loading"),
        ("subjects:raises_at_build", ("no such file",), "ValueError: no such file"),
        ("subjects:raises_later", ("30",), "while warming up: RuntimeError: the model broke"),
        ("subjects:raises_later", ("5000",), "while answering: RuntimeError: the model broke"),
        ("subjects:none_later", ("0",), "TypeError: the callable answered None to the first input"),
        ("subjects:none_later", ("30",), "TypeError: the callable answered None to input 29"),
        ("subjects:none_later", ("5000",), "while answering: TypeError: the callable answered None to input"),
        ("subjects:dies_by", ("SIGSEGV",), "its process was killed by SIGSEGV while loading"),
        ("subjects:dies_by", ("SIGKILL",), "killed by SIGKILL (out of memory?)"),
    ],
)
def test_a_process_that_fails_is_one_line(tmp_path, small_plan, factory, args, said):
    plan = dataclasses.replace(small_plan, seconds=30.0)
    subjects = [Subject("good", "subjects:echo"), Subject("bad one", factory, args)]
    with pytest.raises(MeasurementError) as caught:
        measure_subjects(subjects[1:] if "5000" in args else subjects, TEXTS, tmp_path, plan)
    message = str(caught.value)
    assert message.startswith("bad one: ")
    assert said in message
    assert "\n" not in message
    assert not (tmp_path / "bench.json").exists()


@pytest.mark.parametrize("where", ["build", "answer"])
def test_a_process_that_hangs_is_ended(tmp_path, small_plan, where):
    plan = dataclasses.replace(small_plan, timeout_seconds=0.3)
    with pytest.raises(MeasurementError, match=r"h: no answer within 0\.3 s while loading .* it was ended"):
        measure_subjects([Subject("h", "subjects:hangs", (where,))], TEXTS, tmp_path, plan)


def test_finished_rounds_stay_when_a_later_one_fails(tmp_path, small_plan):
    plan = dataclasses.replace(small_plan, rounds=4)
    subject = Subject("a", "subjects:fails_in_process", ("3", str(tmp_path / "counter")))
    with pytest.raises(MeasurementError, match="this process fails"):
        measure_subjects([subject], TEXTS, tmp_path, plan)
    result = load_bench(tmp_path)
    assert len(result.subject("a").processes) == 2
    assert result.percentile("a", 0.5) is not None
    assert "only 2 of 4 rounds finished: measure again for the stated plan" in result.flags


def test_a_new_measurement_replaces_the_old(tmp_path, small_plan):
    measure_subjects([Subject("old", "subjects:echo")], TEXTS, tmp_path, small_plan)
    measure_subjects([Subject("new", "subjects:echo")], TEXTS, tmp_path, small_plan)
    assert not list(tmp_path.glob("latency/old*"))
    assert [subject.name for subject in load_bench(tmp_path).subjects] == ["new"]


def test_rounds_are_added_until_p95_is_known_as_tightly_as_asked(tmp_path):
    subject = Subject("s", "subjects:spin", ("100",))
    plan = MeasurePlan(rounds=2, seconds=0.05, warmup_seconds=0, precision=1e-9, budget_seconds=1.5)
    assert 2 < len(measure_subjects([subject], TEXTS, tmp_path, plan).conditions) < 60
    loose = dataclasses.replace(plan, precision=5.0)
    assert len(measure_subjects([subject], TEXTS, tmp_path, loose).conditions) <= 4


def test_odd_texts_arrive_as_they_are(tmp_path, small_plan):
    odd = ["line\r\nbreak\0 \ud800 é 漢", "", "b"]
    measure_subjects([Subject("e", "subjects:echo")], odd, tmp_path, small_plan)


@pytest.mark.parametrize(
    ("names", "inputs", "said"),
    [
        ([], ["a"], "nothing to measure"),
        (["a"], [], "nothing to measure"),
        (["a/b", "a b"], ["a"], "'a/b' and 'a b' need names that differ more"),
        ([f"s{number}" for number in range(25)], ["a"], "at most 24"),
    ],
)
def test_what_cannot_be_measured_is_told(tmp_path, small_plan, names, inputs, said):
    subjects = [Subject(name, "subjects:echo") for name in names]
    with pytest.raises(BadInputError, match=said):
        measure_subjects(subjects, inputs, tmp_path, small_plan)
