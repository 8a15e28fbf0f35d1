"""What the report shows of each class, of the bias for floors, and of the rows that are counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from edgekd.data.taskdata import TaskData
from edgekd.evaluate.classify.bias import BiasFit
from edgekd.evaluate.classify.classes import find_confusions, judge_classes
from edgekd.evaluate.classify.routing import RoutingResult
from edgekd.evaluate.result import Calibration, EvalResult
from edgekd.gate.evidence import VariantEvidence
from edgekd.pipeline.class_view import (
    bias_note,
    class_rows,
    confusion_rows,
    count_classes,
    describe_counting,
)

LABELS = ("dispute", "other", "self_harm")
TRUTH = np.array([0, 0, 0, 1, 1, 1, 1, 2, 2])
STUDENT = np.array([0, 1, 1, 1, 1, 1, 2, 2, 1])
SERVED = np.array([0, 0, 1, 1, 1, 1, 1, 2, 2])


def evidence(**changes) -> VariantEvidence:
    result = EvalResult(
        "a" * 64,
        len(TRUTH),
        (),
        Calibration(0.0, 0.0, 0.0, len(TRUTH)),
        classes=judge_classes(STUDENT, TRUTH, TRUTH, LABELS),
        confusions=find_confusions(STUDENT, TRUTH, LABELS),
    )
    fields = {
        "variant": "v",
        "student": "s",
        "runtime": "onnxruntime",
        "recipe": "fp32",
        "artifact_digest": "a" * 64,
        "artifact_bytes": 1,
        "p50_ms": None,
        "p95_ms": None,
        "cold_start_ms": None,
        "peak_rss_bytes": None,
        "basis": "native",
        "basis_reason": "",
        "evaluation": result,
        "built": True,
    }
    return VariantEvidence(**{**fields, **changes})


def rows(split: str, counts: dict[str, int], extra: int = 0) -> TaskData:
    labels = [label for label, count in counts.items() for _ in range(count)]
    table = pa.table(
        {
            "id": [f"{split}-{place}" for place in range(len(labels))],
            "text": [f"text {place}" for place in range(len(labels))],
            "label": labels,
            "split": [split] * len(labels),
            "extra": [place < extra for place in range(len(labels))],
        }
    )
    return TaskData(table, LABELS)


def test_classes_have_their_training_rows_and_the_teacher_beside_them():
    train = count_classes(rows("train", {"dispute": 54, "other": 700}))
    assert train == {"dispute": 54, "other": 700, "self_harm": 0}
    shown = {row.name: row for row in class_rows(evidence(), train)}
    assert next(iter(shown)) == "dispute"
    assert (shown["dispute"].train, shown["dispute"].n) == (54, 3)
    assert shown["dispute"].recall.estimate == pytest.approx(1 / 3)
    assert shown["dispute"].teacher_recall.estimate == 1
    worst = confusion_rows(evidence())[0]
    assert (worst.truth, worst.answer, worst.n) == ("dispute", "other", 2)


def test_of_what_routes_the_served_system_is_shown():
    routing = RoutingResult(
        "a" * 64,
        {},
        (),
        judge_classes(SERVED, TRUTH, TRUTH, LABELS),
        find_confusions(SERVED, TRUTH, LABELS),
    )
    routed = evidence(routing=routing)
    shown = {row.name: row for row in class_rows(routed, {})}
    assert shown["dispute"].recall.estimate == pytest.approx(2 / 3)
    assert [(row.truth, row.n) for row in confusion_rows(routed)] == [("dispute", 1)]
    assert class_rows(replace(evidence(), evaluation=None), {}) == ()


def test_the_bias_and_its_price_travel_with_the_evidence():
    fit = BiasFit({"self_harm": 1.5}, ("safety",), {"self_harm": 120}, 0.9, 0.88)
    kept = VariantEvidence.from_json(evidence(bias=fit).to_json())
    assert kept.bias == fit
    note = bias_note(kept.bias)
    assert note is not None
    assert "self_harm +1.5. On validation rows that costs 2.00 points of accuracy" in note.words
    assert "No bias makes validation rows prove the limits of safety." in note.words
    assert bias_note(None) is None
    old = {name: value for name, value in evidence().to_json().items() if name != "bias"}
    assert VariantEvidence.from_json(old).bias is None


def test_the_rows_that_are_counted_are_said():
    test = rows("test", {"dispute": 30, "other": 70}, extra=20)

    assert describe_counting(None, test).startswith("All 100 test rows count as traffic")
    words = describe_counting("NOT extra", test)
    assert words.startswith("80 of 100 test rows are drawn as traffic comes (data.sample: NOT extra).")
    assert "weighted by how its class was sampled" in words
