from dataclasses import replace

import pytest

from edgekd.distill.diagnosis.capacity import (
    Cost,
    analyse_capacity,
    capacity_steps,
    judge_capacity,
    rare_recall,
)
from edgekd.distill.diagnosis.finding import Setup
from edgekd.distill.diagnosis.history import History
from edgekd.distill.logs.training_events import CapacityAnalysis, ClassSliceEval

SETUP = Setup("project.yaml", larger="cut-3l")


@pytest.fixture
def history_of(epochs_of):
    def make(name="small", **columns) -> History:
        return History(name, "big", "intent", epochs_of(**columns))

    return make


def classes_of(epoch: int, *recalls: float, teacher: float = 1.0, support: int = 50) -> tuple:
    return tuple(
        ClassSliceEval(
            epoch=epoch, class_name=str(i), support=support, teacher_recall=teacher, student_recall=recall,
            hard_label_weight=0.1, soft_label_weight=0.9,
        )
        for i, recall in enumerate(recalls)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("second", "last", "options", "fires"),
    [
        (0.8, 0.85, {}, True),
        (0.95, 0.85, {}, False),  # strong at once
        (0.8, 0.97, {}, False),  # slow, and caught up
        (0.6, 0.6, {"teacher": 0.7}, False),  # hard for the teacher, too
        (0.6, 0.6, {"support": 3}, False),  # too few rows to say
    ],
)
def test_weak_on_easy_classes_after_two_epochs(history_of, second, last, options, fires):
    slices = [
        classes_of(epoch, recall, recall, **options) for epoch, recall in ((1, 0.1), (2, second), (4, last))
    ]
    history = replace(history_of(val_accuracy=[0.5] * 4), classes=sum(slices, ()))
    finding = judge_capacity(history, (), SETUP)
    assert (finding is not None) == fires
    if finding:
        assert finding.commands == ("edgekd run project.yaml --set students.0=cut-3l",)
        assert "80.0 % after epoch 2, 85.0 % after epoch 4; the teacher's is 100.0 %" in finding.evidence[0]


LARGE = {"train_loss": [0.5, 0.1, 0.05], "teacher_preference_match": [0.9, 0.93, 0.95]}


@pytest.mark.parametrize(
    ("losses", "matches", "fires"),
    [
        ([0.5, 0.32, 0.3], [0.8, 0.85, 0.86], True),
        ([0.5, 0.3, 0.3], [0.8, 0.85, 0.86], True),  # no longer falls
        ([0.5, 0.12, 0.07], [0.8, 0.85, 0.86], False),  # under twice the other's
        ([0.9, 0.6, 0.3], [0.8, 0.85, 0.86], False),  # on its way: the other's level is 3 epochs away
        ([0.5, 0.32, 0.3], [0.9, 0.94, 0.945], False),  # within a point on held-out rows
    ],
)
def test_training_loss_far_above_what_another_student_reaches(history_of, losses, matches, fires):
    small, large = (
        history_of(train_loss=losses, teacher_preference_match=matches),
        history_of("large", **LARGE),
    )
    finding = judge_capacity(small, (large,), SETUP)
    assert (finding is not None) == fires
    assert judge_capacity(small, (), SETUP) is None and judge_capacity(large, (small,), SETUP) is None
    if finding:
        assert (
            "where large reaches 0.050" in finding.evidence[0] and "86.0 % of the time" in finding.evidence[0]
        )


def test_without_a_larger_shape_it_says_how_to_make_one(history_of):
    small = history_of(train_loss=[0.5, 0.32, 0.3], teacher_preference_match=[0.8] * 3)
    large = history_of("large", **LARGE)
    (command,) = judge_capacity(small, (large,), replace(SETUP, larger=None)).commands
    assert command == "edgekd show models"
    (command,) = judge_capacity(
        small, (large,), replace(SETUP, larger=None, others=({"model": "large"},))
    ).commands
    assert command == "edgekd run project.yaml --set 'students=[{model: large}]'"


def test_worked_capacity_table(golden):
    """Quality given up, milliseconds and money saved, and what the drop costs in conversion."""
    rows = golden["capacity"]["rows"]
    events = [
        CapacityAnalysis(
            student=f"{size}M", train_kd_loss=(1.0,), quality=ndcg, quality_metric="NDCG@10",
            params_millions=size, p95_ms=p95, cost_per_1k_usd=usd,
        )
        for size, ndcg, p95, usd in rows
    ]  # fmt: skip
    first, second = capacity_steps(events)
    assert (first.stronger, first.weaker) == ("120M", "40M")
    assert (first.quality_drop, first.p95_saved_ms, first.cost_saved_usd) == pytest.approx((0.04, 14, 0.09))
    assert (second.quality_drop, second.p95_saved_ms, second.cost_saved_usd) == pytest.approx((0.12, 9, 0.04))
    worked = golden["scale"]["ndcg_drop_to_conversion"]
    assert second.conversion_loss(worked["loss_per_0.01"]) == pytest.approx(worked["relative_loss"])
    assert second.quality_drop == pytest.approx(worked["ndcg_from"] - worked["ndcg_to"])


def test_students_of_a_run_side_by_side(history_of):
    small = history_of(
        train_kd_kl_t2=[0.5, 0.3, 0.2], val_accuracy=[0.7, 0.86, 0.8],
        teacher_preference_match=[0.7, 0.9, 0.8], calibration_ece=[0.1, 0.05, 0.1],
    )  # fmt: skip
    slices = (*classes_of(2, 0.9, 0.9, 0.9), *(replace_support(c, 5) for c in classes_of(2, 0.4)))
    small = replace(small, classes=(*classes_of(1, 0.1), *slices))
    large = history_of("large", val_accuracy=[0.9], train_kd_kl_t2=[0.1])
    rows = analyse_capacity([small, large], {"small": Cost(10.0, 9.0, 0.05)})
    assert [row.student for row in rows] == ["large", "small"]
    best = rows[1]
    assert (best.quality, best.quality_metric, best.calibration_ece) == (0.86, "accuracy", 0.05)
    assert best.train_kd_loss == (0.5, 0.3, 0.2) and best.rare_query_recall == 0.4
    assert (best.params_millions, best.p95_ms, best.cost_per_1k_usd) == (10, 9, 0.05)
    assert rows[0].p95_ms is None and rows[0].rare_query_recall is None
    (step,) = capacity_steps(rows)
    assert step.quality_drop == pytest.approx(0.04) and step.p95_saved_ms is None


def replace_support(event: ClassSliceEval, support: int) -> ClassSliceEval:
    return event.model_copy(update={"support": support})


def test_rare_classes_are_those_far_below_an_even_share():
    even = classes_of(1, 0.9, 0.8)
    assert rare_recall(even) is None and rare_recall(()) is None
    assert rare_recall((*even, replace_support(even[0], 0), replace_support(even[1], 10))) == pytest.approx(
        0.8
    )
