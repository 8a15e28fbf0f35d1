from dataclasses import replace

import torch

from edgekd.config import Training
from edgekd.distill.losses import combined_loss, logit_mse
from edgekd.distill.training.objective import Objective
from edgekd.distill.training.rows import Recipe

RECIPE = Recipe(Training(), 0.7, 2.0, 0, 1, "intent", "student", "teacher")


def test_logits_share_the_loss_with_the_blend():
    generator = torch.Generator().manual_seed(0)
    student, taught = (torch.randn(6, 5, generator=generator) for _ in range(2))
    classes = torch.tensor([0, 1, 2, -1, 4, -1])
    blend = combined_loss(student, taught, classes, alpha=0.7, temperature=2.0)
    for share in (0.0, 0.25, 1.0):
        found = Objective(replace(RECIPE, logits=share), torch.device("cpu")).losses(student, taught, classes)
        torch.testing.assert_close(found.total, (1 - share) * blend + share * logit_mse(student, taught))
