import json
import subprocess
import sys

import pytest

from edgekd.errors import BadInputError, MeasurementError
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.scenarios.offline import Batching, measure_throughput
from edgekd.measure.subject import Subject

PLAN = MeasurePlan(rounds=3, seconds=0.15, warmup_seconds=0.02)
TEXTS = [f"text {number}" for number in range(20)]


def test_texts_one_by_one(tmp_path):
    subjects = [Subject("1 ms", "subjects:spin", ("1000",)), Subject("half", "subjects:spin", ("500",))]
    found = measure_throughput(subjects, TEXTS, tmp_path, PLAN)
    # never more than the time allows; a busy machine takes some of it
    assert 800 < found.throughput("1 ms").estimate < 1000
    assert 1600 < found.throughput("half").estimate < 2000
    ratio = found.ratio("half", "1 ms")
    assert ratio.low <= ratio.estimate <= ratio.high
    assert ratio.estimate == pytest.approx(2, rel=0.1)
    assert all(process.blocks == 1 for process in found.result.subject("half").processes)
    assert (tmp_path / "bench.json").exists()


def test_time_between_calls_counts(tmp_path):
    found = measure_throughput([Subject("echo", "subjects:echo")], TEXTS, tmp_path, PLAN)
    rates = found.process_throughputs("echo")
    for rate, samples in zip(rates, found.result.samples("echo"), strict=True):
        assert rate < 0.8 * len(samples) / (samples.ns.sum() / 1e9)  # of a call that does next to nothing


def test_batches_pay_once_for_many(tmp_path):
    subject = Subject("batcher", "scenario_subjects:Batcher", ("800", "25"))
    alone = measure_throughput([subject], TEXTS, tmp_path / "alone", PLAN)
    batched = measure_throughput([subject], TEXTS, tmp_path / "batched", PLAN, Batching("answer_all", 8))
    assert batched.texts_per_call == (8, 8, 4)
    assert alone.throughput("batcher").estimate == pytest.approx(1e6 / 825, rel=0.1)
    # calls take 1.0, 1.0 and 0.9 ms for 8, 8 and 4 texts
    assert batched.throughput("batcher").estimate == pytest.approx(20 / 2.9e-3, rel=0.12)
    assert json.loads((tmp_path / "batched" / "batches.json").read_text()) == [
        TEXTS[:8],
        TEXTS[8:16],
        TEXTS[16:],
    ]


def test_a_batch_that_loses_answers_is_an_error(tmp_path):
    subject = Subject("loses", "scenario_subjects:Batcher", ("10", "1", "1"))
    with pytest.raises(MeasurementError, match="answer_all gave 3 answers to 4 texts"):
        measure_throughput([subject], TEXTS, tmp_path, PLAN, Batching("answer_all", 4))


def test_a_method_that_is_not_there_is_an_error(tmp_path):
    subject = Subject("batcher", "scenario_subjects:Batcher", ("10", "1"))
    with pytest.raises(MeasurementError, match="no attribute 'run_many'"):
        measure_throughput([subject], TEXTS, tmp_path, PLAN, Batching("run_many", 4))


def test_batching_names_what_is_wrong():
    with pytest.raises(BadInputError, match="name of a method"):
        Batching("a b", 4)
    with pytest.raises(BadInputError, match="at least 1 text"):
        Batching("answer_all", 0)


def test_the_measured_process_loads_nothing_heavy_for_batches():
    run = subprocess.run(
        [sys.executable, "-P", "-c", "import sys, edgekd.measure.scenarios.offline; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "edgekd.measure.scenarios.offline" in run.stdout.split()
    assert not {"numpy", "scipy", "jaxtyping", "pydantic"} & set(run.stdout.split())
