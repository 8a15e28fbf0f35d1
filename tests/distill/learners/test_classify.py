import numpy as np
import pytest
import torch

from edgekd.distill.learner import Batch
from edgekd.distill.learners.classify import Classify
from edgekd.distill.losses import combined_loss, logit_mse

LABELS = ("a", "b", "c")


def test_logits_share_the_loss_with_the_blend():
    generator = torch.Generator().manual_seed(0)
    student, taught = (torch.randn(6, 5, generator=generator) for _ in range(2))
    classes = torch.tensor([0, 1, 2, -1, 4, -1])
    blend = combined_loss(student, taught, classes, alpha=0.7, temperature=2.0)
    for share in (0.0, 0.25, 1.0):
        learner = Classify(("a", "b", "c", "d", "e"), alpha=0.7, temperature=2.0, logits=share)
        objective = learner.objective(torch.device("cpu"))
        found = objective.terms(Batch(student, taught, classes), objective.survey(classes))
        torch.testing.assert_close(found.total, (1 - share) * blend + share * logit_mse(student, taught))


def test_figures_of_validation_rows():
    logits = np.array([[3.0, 0, 0], [0, 3, 0], [0, 0, 3], [3, 0, 0]], dtype=np.float32)
    teacher = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 1, 0]], dtype=np.float16)
    classes = np.array([0, 1, 2, 2])
    found = Classify(LABELS, critical=(1, 2)).judge(logits, classes, teacher)
    top = np.exp(3) / (np.exp(3) + 2)
    assert found == pytest.approx(
        {
            "val_accuracy": 0.75,
            "teacher_preference_match": 0.5,
            "calibration_ece": abs(top - 0.75),
            "safety_recall": 2 / 3,
            "val_loss": -np.log(top) + 1.5 / 2,
        },
        abs=1e-6,
    )
    alone = Classify(LABELS).judge(logits, classes, None)
    assert alone["teacher_preference_match"] == 0.75 and "safety_recall" not in alone
    assert "safety_recall" not in Classify(LABELS, critical=(2,)).judge(logits[:1], classes[:1], None)
