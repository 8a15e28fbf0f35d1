"""What a student learns from inside its teacher: hidden states and what tokens attend to.

It takes tensors and runs no model. The projections belong to the matcher, not to the student, so
that nothing of them is exported.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from edgekd.distill.losses import attention_mse, hidden_mse, relation_divergence
from edgekd.distill.losses.masks import Mask
from edgekd.distill.training.layermap import LayerMap, check_map
from edgekd.errors import ConfigError

_MOST_RELATION_HEADS = 48  # of base-size models in MiniLMv2, arXiv:2012.15828

Projected = tuple[
    Float[Tensor, "row token width"], Float[Tensor, "row token width"], Float[Tensor, "row token width"]
]
"""Queries, keys and values of a layer, attention heads side by side."""


@dataclass(frozen=True)
class EncoderShape:
    """What matching must know of an encoder."""

    layers: int
    width: int
    heads: int


@dataclass(frozen=True)
class Features:
    """What one model shows of itself for a batch. Only one of `attention` and `projected` is read."""

    hidden: tuple[Float[Tensor, "row token width"], ...]
    """Embeddings' output, then each layer's."""
    attention: tuple[Float[Tensor, "row head token token"], ...] = ()
    """Probabilities [query, key], a layer."""
    projected: tuple[Projected, ...] = ()
    """Queries, keys and values, a layer."""


@dataclass(frozen=True)
class FeatureTerms:
    """Loss of each kind, one value a row, mean over mapped layers; the kind not in use is 0."""

    hidden: Float[Tensor, " row"]
    attention: Float[Tensor, " row"]
    relation: Float[Tensor, " row"]


class FeatureMatcher(nn.Module):
    """Compares a student's features with its teacher's, layer by layer.

    Hidden states are projected where widths differ, and only there: at equal widths (a student cut
    from its teacher) both speak of the same axes, and a projection would let the student turn away
    from them and have to be learnt for nothing. There is one for the embeddings and one for all
    layers, as in TinyBERT: with one a layer, they rather than the student would bridge the layers'
    differences. Weights are drawn from torch's generator; train them with the student's.

    Attention maps are compared where both have as many heads, else relations of queries, keys and
    values, split into as many heads, up to 48, as divide both widths.

    Args:
        student: Shape of the student.
        teacher: Shape of the teacher.
        layers: Student layer to teacher layer, from `uniform_map` or by hand.

    Raises:
        ConfigError: if the map does not fit the shapes.
    """

    def __init__(self, student: EncoderShape, teacher: EncoderShape, layers: LayerMap) -> None:
        super().__init__()
        check_map(layers, student.layers, teacher.layers)
        self.student, self.teacher = student, teacher
        self.layers = dict(sorted(layers.items()))
        projects = student.width != teacher.width
        self.projections = nn.ModuleDict(
            {
                name: nn.Linear(student.width, teacher.width, bias=False) if projects else nn.Identity()
                for name in ("embeddings", "layers")
            }
        )

    @property
    def relation_heads(self) -> int | None:
        """Heads of the relations that stand for attention; None where attention maps are compared."""
        if self.student.heads == self.teacher.heads:
            return None
        common = math.gcd(self.student.width, self.teacher.width)
        return max(n for n in range(1, _MOST_RELATION_HEADS + 1) if common % n == 0)

    def forward(self, student: Features, teacher: Features, mask: Mask | None = None) -> FeatureTerms:
        """Return the terms of a batch; compute the teacher's features without gradient.

        In float32, whatever autocast left the features in: the divergence of relations that are
        nearly equal is less than what bfloat16 rounds away.

        Raises:
            ConfigError: if a model shows too few layers, or not what is compared.
        """
        self._check("student", student, self.student)
        self._check("teacher", teacher, self.teacher)
        with torch.autocast(student.hidden[0].device.type, enabled=False):
            return self._compare(student, teacher, mask)

    def _compare(self, student: Features, teacher: Features, mask: Tensor | None) -> FeatureTerms:
        hidden = [
            hidden_mse(
                self._project(ours, student.hidden[ours].float()), teacher.hidden[theirs].float(), mask
            )
            for ours, theirs in self.layers.items()
        ]
        inner = []
        for ours, theirs in self.layers.items():
            if ours == 0:
                continue
            if self.relation_heads is None:
                maps = student.attention[ours - 1].float(), teacher.attention[theirs - 1].float()
                inner.append(attention_mse(*maps, mask))
                continue
            for x, y in zip(student.projected[ours - 1], teacher.projected[theirs - 1], strict=True):
                inner.append(relation_divergence(x.float(), y.float(), self.relation_heads, mask))
        attended = torch.stack(inner).mean(dim=0)
        none = torch.zeros_like(attended)
        attention, relation = (attended, none) if self.relation_heads is None else (none, attended)
        return FeatureTerms(torch.stack(hidden).mean(dim=0), attention, relation)

    def _project(self, layer: int, states: Tensor) -> Tensor:
        projected: Tensor = self.projections["embeddings" if layer == 0 else "layers"](states)
        return projected

    def _check(self, whose: str, shown: Features, shape: EncoderShape) -> None:
        kind = "attention" if self.relation_heads is None else "projected"
        for name, wanted in (("hidden", shape.layers + 1), (kind, shape.layers)):
            found = len(getattr(shown, name))
            if found != wanted:
                raise ConfigError(f"the {whose}'s features: expected {wanted} of {name}, got {found}")
