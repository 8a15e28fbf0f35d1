"""Evidence from answers and samples: what is served, and against which student compilation is measured."""

import json
from dataclasses import replace

import numpy as np
import pytest

from edgekd.compile import open_artifact
from edgekd.config import Slice, Target
from edgekd.config.gates import Gates
from edgekd.evaluate.classify.scorer import CLASS_SCORER
from edgekd.evaluate.predictions import Predictions, save_predictions
from edgekd.evaluate.scorer import JudgedRows
from edgekd.gate.evidence import VariantEvidence
from edgekd.measure.bench_file import load_bench
from edgekd.pipeline.answering import LOGITS
from edgekd.pipeline.bench import Bench
from edgekd.pipeline.deriving import Answered, Case, decide, derive_all
from edgekd.pipeline.judging import read_answered
from edgekd.pipeline.trial import Trial


class Rows:
    """Two test rows, as `read_answered` reads them."""

    ids = ("0", "1")
    outputs = ("a", "b", "c")


def test_the_fp32_drop_is_against_the_student_that_was_compiled(artifact, tmp_path):
    """Up to 2d017b4 any student of the same name was taken, so an incumbent was held against new weights."""
    sample, own = open_artifact(artifact), "5" * 64
    built = replace(sample, manifest={**sample.manifest, "provenance": {"student": own}})
    logits = np.eye(2, 3, dtype=np.float32)
    save_predictions(Predictions(built.digest, logits), Rows.ids, tmp_path / LOGITS)
    for subject, name in ((own, built.student), ("f" * 64, None)):
        references = {built.student: Predictions(subject, logits)}
        assert read_answered(built, tmp_path, Rows, references).fp32 == name
    assert read_answered(built, tmp_path, Rows, {}).fp32 is None
    assert read_answered(sample, tmp_path, Rows, references).fp32 is None  # compiled from elsewhere


@pytest.fixture(scope="module")
def bench(finished_run):
    (folder,) = (finished_run.run_folder / "evidence" / "bench").glob("*")
    return load_bench(folder)


def make_trial(bench, digests):
    """1,000 rows with one label of two; the teacher is right everywhere."""
    measured = [subject.name for subject in bench.subjects if "static" in subject.name]
    truth = np.zeros(1000, np.int64)
    return Trial(
        rows=JudgedRows(
            truth,
            ("a", "b"),
            (Slice(name="overall", tier="prove", margin=30),),
            {"overall": np.ones(1000, np.bool_)},
        ),
        texts=[""] * 1000,
        scorer=CLASS_SCORER,
        gates=Gates(),
        references={"teacher": Predictions("t", table(truth == 0, 0.99))},
        bench=Bench(bench, dict(zip(digests, measured, strict=False))),
    )


def table(right, sure):
    """Logits of answers that are right where `right` says, each with this probability."""
    sure = np.broadcast_to(sure, right.shape)
    answered = np.where(right, sure, 1 - sure)
    return np.log(np.stack([answered, 1 - answered], axis=1)).astype(np.float32)


def test_what_is_served_decides_by_quality(bench):
    """The worse student knows when it is wrong, so that its system is the better one."""
    digests = ("1" * 64, "2" * 64)
    trial = make_trial(bench, digests)
    place = np.arange(1000)
    worse = table(place >= 200, np.where(place >= 200, 0.95, 0.6))  # wrong in 200, and unsure there
    better = table(place >= 100, 0.95)  # wrong in 100, and sure
    entries = []
    for digest, logits in zip(digests, (worse, better), strict=True):
        known = VariantEvidence(
            digest[:1], "static", "onnxruntime", "fp32", digest, 1000,
            None, None, None, None, "native", "", None, True,
        )  # fmt: skip
        entries.append((known, Answered(Predictions(digest, logits), 1.0, {"max_prob": 0.8}, None)))
    evidence, served = derive_all(trial, entries)
    for entry in evidence:
        assert VariantEvidence.from_json(json.loads(json.dumps(entry.to_json()))) == entry
    assert [entry.evaluation.slice_named("overall").value.estimate for entry in evidence] == [0.8, 0.9]
    assert [entry.overall.value.estimate for entry in evidence] == [1.0, 0.9]
    target = Target(
        name="t",
        hardware={"arch": "x86_64", "memory_mib": 1024},
        builds=[{"runtime": "onnxruntime", "recipe": "fp32"}],
        objective="quality",
    )
    verdict = decide(trial, Case(target, None, ("1", "2"), {}, ()), evidence, served)
    assert verdict.promoted == "1" and verdict.tie_with == ()
