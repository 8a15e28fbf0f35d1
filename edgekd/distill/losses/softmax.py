"""Softmax at a temperature."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def soften(logits: Float[Tensor, "*batch label"], temperature: float) -> Float[Tensor, "*batch label"]:
    """Return softmax(z / T): probabilities, flatter the higher the temperature.

    Source: Hinton, G. et al. (2015), Distilling the knowledge in a neural network, arXiv:1503.02531.
    """
    return torch.softmax(logits / temperature, dim=-1)
