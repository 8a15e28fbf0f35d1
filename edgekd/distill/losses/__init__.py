"""Distillation losses as pure functions, and what weighs in them.

Every loss gives one value an example (row, query, token: its docstring says which), in nats or
squared units, and `weighted_mean` is the only reduction: batches of any size, padded or not, on
one process or many, then have the gradient of the whole. The one exception is the penalty for
rare classes, a mean over classes, not over rows. docs/distillation.md walks through the figures.
"""

from edgekd.distill.losses.attention import attention_mse
from edgekd.distill.losses.blend import blend_by_class
from edgekd.distill.losses.class_weights import effective_number, inverse_frequency, weigh_by_class
from edgekd.distill.losses.combined import blend_terms, combined_loss
from edgekd.distill.losses.cross_entropy import hard_cross_entropy
from edgekd.distill.losses.divergence import soft_divergence
from edgekd.distill.losses.dominating import dominating_examples, persistent_examples
from edgekd.distill.losses.hidden import hidden_mse
from edgekd.distill.losses.logits import logit_mse
from edgekd.distill.losses.mean import weighted_mean
from edgekd.distill.losses.number import number_cross_entropy, number_divergence
from edgekd.distill.losses.oversampling import oversampled_rows
from edgekd.distill.losses.ranking import (
    list_cross_entropy,
    list_divergence,
    list_margin_mse,
    margin_mse,
    score_mse,
)
from edgekd.distill.losses.rare import rare_class_loss, rare_class_penalty
from edgekd.distill.losses.relation import relation_divergence
from edgekd.distill.losses.response import response_cross_entropy, response_divergence
from edgekd.distill.losses.row_weights import ORIGIN_WEIGHTS, OriginShares, share_by_origin, weigh_by_origin
from edgekd.distill.losses.softmax import soften

__all__ = [
    "ORIGIN_WEIGHTS",
    "OriginShares",
    "attention_mse",
    "blend_by_class",
    "blend_terms",
    "combined_loss",
    "dominating_examples",
    "effective_number",
    "hard_cross_entropy",
    "hidden_mse",
    "inverse_frequency",
    "list_cross_entropy",
    "list_divergence",
    "list_margin_mse",
    "logit_mse",
    "margin_mse",
    "number_cross_entropy",
    "number_divergence",
    "oversampled_rows",
    "persistent_examples",
    "rare_class_loss",
    "rare_class_penalty",
    "relation_divergence",
    "response_cross_entropy",
    "response_divergence",
    "score_mse",
    "share_by_origin",
    "soft_divergence",
    "soften",
    "weigh_by_class",
    "weigh_by_origin",
    "weighted_mean",
]
