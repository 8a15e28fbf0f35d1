from __future__ import annotations

import numpy as np
import pytest

from edgekd.config import Slice
from edgekd.errors import DataError, SliceError
from edgekd.evaluate.judge import evaluate
from edgekd.evaluate.predictions import Predictions
from edgekd.evaluate.scorer import JudgedRows
from edgekd.stats.paired import paired_drop_bound
from edgekd.stats.proportion import wilson_interval

LABELS = ("faq", "safety", "dispute")
TRUTH = np.array([0, 0, 0, 0, 1, 1, 2, 2])
OVERALL = Slice(name="overall", tier="prove", margin=1.5)
CRITICAL = Slice(
    name="critical", recall_of=("safety", "dispute"), together=True, tier="prove", margin=3,
    at_least=70, class_at_least=60,
)  # fmt: skip
ALL = np.ones(8, dtype=bool)


def answers(*labels, subject="x"):
    return Predictions(subject, np.eye(len(LABELS))[list(labels)])


TEACHER = answers(0, 0, 0, 0, 1, 1, 2, 2, subject="t")
STUDENT = answers(0, 0, 0, 2, 2, 0, 2, 2, subject="s")


def run(candidate=STUDENT, references=None, slices=(OVERALL, CRITICAL), masks=None, truth=TRUTH):
    references = {"teacher": TEACHER} if references is None else references
    masks = {entry.name: ALL for entry in slices} if masks is None else masks
    return evaluate(candidate, references, JudgedRows(truth, LABELS, slices, masks))


def test_accuracy_and_drop_of_the_whole():
    result = run()
    overall = result.slice_named("overall")
    assert (result.subject, result.n) == ("s", 8)
    assert (overall.metric, overall.margin, overall.n) == ("accuracy", 0.015, 8)
    assert overall.value == wilson_interval(5, 8)
    drop = overall.drop_from("teacher")
    assert (drop.lost, drop.gained, drop.estimate) == (3, 0, 3 / 8)
    assert (drop.low, drop.high) == paired_drop_bound(3, 0, 8)


def test_recall_takes_its_classes_together():
    critical = run().slice_named("critical")
    # Of four true rows one safety is called dispute, a hit, and one is called faq, a miss; the faq
    # that is called dispute is no row of this slice.
    assert (critical.metric, critical.n) == ("recall", 4)
    assert critical.value.estimate == 0.75
    assert critical.drop_from("teacher").lost == 1


def test_recall_judges_each_class_on_its_own():
    result = run()
    safety, dispute = (result.slice_named(f"critical:{name}") for name in ("safety", "dispute"))
    assert (safety.n, safety.value.estimate, safety.drop_from("teacher").lost) == (2, 0, 2)
    assert (dispute.n, dispute.value.estimate) == (2, 1)
    assert (result.slice_named("critical").at_least, safety.at_least, dispute.at_least) == (0.7, 0.6, 0.6)
    apart = CRITICAL.model_copy(update={"together": False, "class_at_least": None})
    assert [entry.name for entry in run(slices=(OVERALL, apart)).slices[1:]] == [
        "critical:safety",
        "critical:dispute",
    ]


def test_false_alarms_are_of_rows_outside_the_classes_and_of_traffic_alone():
    alarms = Slice(name="alarms", false_alarm_of=("safety", "dispute"), at_most=30)
    masks = {"overall": ALL, "alarms": ALL}
    found = run(slices=(OVERALL, alarms), masks=masks).slice_named("alarms")
    assert (found.n, found.value.estimate, found.floor) == (4, 0.25, 0.7)
    assert found.drop_from("teacher").estimate == 0.25  # one false alarm that the teacher does not raise
    drawn = np.array([True, True, True, False, True, True, True, True])
    limited = evaluate(
        STUDENT, {"teacher": TEACHER}, JudgedRows(TRUTH, LABELS, (OVERALL, alarms), masks, drawn)
    ).slice_named("alarms")
    assert (limited.n, limited.value.estimate, limited.sampling) == (3, 0, "traffic")


def test_precision_counts_extra_rows_by_their_share_of_traffic():
    entry = Slice(name="p", precision_of=("dispute",), at_least=50)
    masks = {"overall": ALL, "p": ALL}
    plain = run(slices=(OVERALL, entry), masks=masks).slice_named("p")
    assert (plain.n, plain.value.estimate, plain.sampling, plain.drops) == (4, 0.5, "all", ())
    drawn = np.array([True, True, True, True, True, False, True, False])  # one of two of each extra class
    found = evaluate(
        STUDENT, {"teacher": TEACHER}, JudgedRows(TRUTH, LABELS, (OVERALL, entry), masks, drawn)
    ).slice_named("p")
    # Called dispute: a faq (weighs 1), a safety (1/2), and two disputes (1/2 each).
    assert found.sampling == "weighted"
    assert found.value.estimate == pytest.approx(1 / 2.5)
    assert found.value.low < 0.4 < found.value.high


def test_a_bias_changes_the_choice_and_no_probability():
    biased = Predictions("b", STUDENT.outputs, np.array([0.0, 1.5, 0.0]))
    assert biased.labels.tolist() == [1] * 8
    assert np.array_equal(biased.probabilities(), STUDENT.probabilities())


def test_a_gain_over_a_wrong_reference_counts():
    drop = run(TEACHER, {"fp32": STUDENT}).slice_named("overall").drop_from("fp32")
    assert (drop.lost, drop.gained, drop.estimate) == (0, 3, -3 / 8)
    assert run().slice_named("overall").drop_from("fp32") is None


def test_masks_cut_rows_and_an_empty_slice_has_no_value():
    slices = (OVERALL, Slice(name="mobile", margin=4), Slice(name="fresh", margin=4))
    masks = {"overall": ALL, "mobile": np.arange(8) >= 6, "fresh": np.zeros(8, dtype=bool)}
    result = run(slices=slices, masks=masks)
    assert (result.slice_named("mobile").n, result.slice_named("mobile").value.estimate) == (2, 1)
    fresh = result.slice_named("fresh")
    assert (fresh.n, fresh.value, fresh.drops) == (0, None, ())


def test_worst_drop_is_the_largest_estimate():
    entry, drop = run().worst_drop()
    assert (entry.name, drop.estimate) == ("critical:safety", 1.0)
    assert run().worst_drop("incumbent") is None


def test_temperature_changes_calibration_only():
    masks = {"overall": ALL}
    cold, hot = (
        evaluate(STUDENT, {}, JudgedRows(TRUTH, LABELS, [OVERALL], masks), temperature=t)
        for t in (0.05, 20.0)
    )
    assert cold.slices == hot.slices
    assert cold.calibration.confident_error_rate == 3 / 8
    assert hot.calibration.confident_error_rate == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"candidate": answers(0, 1)}, "candidate: expected 8 rows of 3 labels"),
        ({"references": {"teacher": answers(0)}}, "predictions of teacher"),
        ({"truth": np.full(8, 3)}, "0 to 2, got 3 to 3"),
        ({"truth": np.zeros(8)}, "one label index a row"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(DataError, match=message):
        run(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"masks": {"overal": ALL, "critical": ALL}}, "did you mean 'overal'"),
        ({"masks": {"overall": ALL[:3], "critical": ALL}}, "expected 8 booleans"),
        ({"masks": {"overall": ALL.astype(int), "critical": ALL}}, "expected 8 booleans, got int64"),
        ({"slices": (Slice(name="critical", recall_of=("safty",), margin=3),)}, "did you mean 'safety'"),
    ],
)
def test_slices_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(SliceError, match=message):
        run(**changes)
