import numpy as np
import pyarrow as pa
import pytest

from edgekd.config import Ambiguous, Distillation, Origin, Reviewed, Slice
from edgekd.data.taskdata import TaskData
from edgekd.distill.learners.classify import classify_as_taught
from edgekd.distill.weighing import bound_soft, weigh_ambiguous, weigh_rows
from edgekd.errors import ConfigError, DataError, SliceError

TRAIN = TaskData(
    pa.table(
        {
            "id": ["a", "b", "c", "d"],
            "text": ["where", "when", "refund", "who"],
            "label": ["ask", "ask", "claim", "ask"],
            "split": ["train"] * 4,
            "origin": [None, "human_corrected", "refusal_or_escalation", "teacher"],
            "checked": [True, False, True, False],
        }
    ),
    ("ask", "claim"),
)


def weigh(unlabelled, how):
    learner = classify_as_taught(TRAIN.outputs, how)
    by_target = learner.weigh(TRAIN.classes)
    return weigh_rows(TRAIN, how, "distillation", by_target=by_target, unlabelled=unlabelled)


def test_nothing_asked_for_weighs_nothing():
    found = weigh(3, Distillation())
    assert found.weights is None and found.reviewed is None and found.times == 1
    learner = classify_as_taught(TRAIN.outputs, Distillation())
    assert (learner.alphas, learner.rare) == ((), ())


def test_rows_weigh_by_origin_and_noisy_copies_as_the_teachers():
    assert weigh(2, Distillation(origin=Origin())).weights.tolist() == [1, 3, 2, 1, 1, 1]
    origin = Origin(weights={"teacher": 0.5, "human_corrected": 4, "refusal_or_escalation": 1})
    assert weigh(1, Distillation(origin=origin)).weights.tolist() == [0.5, 4, 1, 0.5, 0.5]


def test_weights_of_origin_and_class_multiply():
    inverse = weigh(1, Distillation(class_weights="inverse")).weights
    assert inverse == pytest.approx([2 / 3, 2 / 3, 2, 2 / 3, 1])
    both = weigh(1, Distillation(class_weights="inverse", origin=Origin())).weights
    assert both == pytest.approx([2 / 3, 2, 4, 2 / 3, 1])
    milder = weigh(0, Distillation(class_weights="effective")).weights
    assert 1 < milder[2] / milder[0] < 3


def test_classes_have_an_alpha_and_a_penalty_by_name():
    found = classify_as_taught(
        TRAIN.outputs, Distillation(alpha=0.8, alpha_of={"claim": 0.2}, rare_classes=("claim",))
    )
    assert (found.alphas, found.rare) == ((0.8, 0.2), (1,))


def test_reviewed_rows_are_those_of_the_predicate():
    found = weigh(2, Distillation(reviewed=Reviewed(where="checked", times=4)))
    assert found.reviewed.tolist() == [True, False, True, False, False, False] and found.times == 4
    assert found.reviewed.dtype == np.bool_


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ({"alpha_of": {"clam": 0.1}}, ConfigError, r"distillation\.alpha_of: .*'clam'.*claim"),
        ({"rare_classes": ("x",)}, ConfigError, r"distillation\.rare_classes: .*'x'"),
        ({"origin": Origin(column="from")}, ConfigError, "there is no column 'from'; the rows have id"),
        ({"origin": Origin(weights={})}, DataError, "'human_corrected'"),
        ({"reviewed": Reviewed(where="nobody")}, SliceError, r"^distillation\.reviewed: where is not"),
    ],
)
def test_what_is_not_there_is_one_line(how, error, words):
    with pytest.raises(error, match=words) as caught:
        weigh(0, Distillation(**how))
    assert "\n" not in str(caught.value)


SLICES = (
    Slice(name="checked", where="checked", margin=1),
    Slice(name="claims", recall_of=("claim",), margin=1),
    Slice(name="nobody", where="text = 'gone'", margin=1),
)


def test_rows_of_a_risky_slice_learn_more_from_labels():
    weighing = weigh(2, Distillation())
    found = bound_soft(weighing, TRAIN, SLICES, {"checked": 0.5, "claims": 0.2}, 2)
    assert found.soft_at_most.tolist() == pytest.approx([0.5, 1, 0.2, 1, 1, 1])
    for name, words in (("chekced", "unknown slice 'chekced'"), ("nobody", "'nobody' holds no training row")):
        with pytest.raises(ConfigError, match=rf"distillation\.alpha_of_slice: {words}"):
            bound_soft(weighing, TRAIN, SLICES, {name: 0.5}, 0)


def test_rows_on_which_the_teacher_hesitates_count_more():
    taught = np.log(np.array([[0.5, 0.5], [0.55, 0.45], [0.7, 0.3], [0.9, 0.1], [0.52, 0.48]], np.float32))
    found = weigh_ambiguous(weigh(1, Distillation()), Ambiguous(), taught, TRAIN)
    assert found.weights.tolist() == [2, 2, 1, 1, 2]  # the last one is not of the train split
    asked = Ambiguous(margin=0.0, where="checked", weight=3)
    both = weigh_ambiguous(weigh(1, Distillation(origin=Origin())), asked, taught, TRAIN)
    assert both.weights.tolist() == [3, 3, 6, 1, 1]
