"""Make a student of a shape: of its teacher, of weights of its own, or anew with its teacher's tables."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from edgekd.config import FeatureStage, StaticModel, StudentModel
from edgekd.distill.cut import cut_layers
from edgekd.distill.fine_tune import name_outputs
from edgekd.distill.fitting import check_rows
from edgekd.distill.fresh import start_fresh
from edgekd.distill.lean import make_lean
from edgekd.distill.lora import add_adapters, merge_adapters
from edgekd.distill.narrow import make_narrow
from edgekd.distill.static import StaticNetwork, start_from_teacher
from edgekd.distill.teacher import HeadedEncoder, Teacher, load_teacher
from edgekd.distill.towers import TwoTowers, start_as_bag
from edgekd.distill.training.inner import InnerStudent
from edgekd.distill.training.reading import Separation
from edgekd.distill.training.tokens import Tokens
from edgekd.distill.weights import load_headed, load_tokenizer_json
from edgekd.errors import ConfigError


@dataclass
class Made:
    """A student before it is trained.

    Attributes:
        network: The student, whose parameters `taught` shares.
        taught: The form of it that is trained.
        fresh: Parameters that nothing has trained before, of weights of its own.
        adapters: The handle of adapters that are trained in the place of its layers' weights.
    """

    network: StaticNetwork | HeadedEncoder
    taught: nn.Module
    fresh: list[Tensor] = field(default_factory=list)
    adapters: Any = None

    def merge(self) -> StaticNetwork | HeadedEncoder:
        """Return the trained student as an ordinary one."""
        if self.adapters is not None and isinstance(self.network, HeadedEncoder):
            self.network.model, self.adapters = merge_adapters(self.adapters), None
        return self.network


def read_tokenizer(model: StudentModel, teacher: Teacher, features: FeatureStage | None) -> str:
    """Return the tokenizer.json that a student starts with: that of its weights, or the teacher's.

    Raises:
        ConfigError: if features are to be matched between two tokenizers.
    """
    taught = (teacher.path / "tokenizer.json").read_text(encoding="utf-8")
    if model.kind != "transformer" or model.weights is None:
        return taught
    own = load_tokenizer_json(model.weights)
    if features is not None:
        check_tokens(model.name, own, taught)
    return own


def check_tokens(name: str, own: str, taught: str) -> None:
    """Hold a student's tokenizer.json against its teacher's: features are matched token by token.

    Raises:
        ConfigError: if a text may have other tokens.
    """
    parts = ("model", "normalizer", "pre_tokenizer", "post_processor")
    ours, theirs = (json.loads(document) for document in (own, taught))
    if any(ours.get(part) != theirs.get(part) for part in parts):
        raise ConfigError(
            f"distillation.features: {name} starts from weights with another tokenizer than the teacher's, "
            "and features are matched token by token; leave features out, or take weights with the same one"
        )


def make_student(
    model: StudentModel,
    teacher: Teacher,
    kept: npt.NDArray[np.int64],
    features: FeatureStage | None,
    separation: Separation | None,
) -> Made:
    """Make a student. `kept` is, for each of its ids, the id of what it is made of, shape [token].

    Raises:
        ConfigError: if the shape does not fit what it is made of.
    """
    if model.kind == "static":
        static = StaticNetwork(len(kept), model.pairs, model.dimension, model.hidden, len(teacher.outputs))
        start_from_teacher(static, teacher, kept)
        return Made(static, static)
    fresh: list[Tensor] = []
    if model.kind == "transformer" and model.weights is not None:
        own = _load_own(model.weights, teacher)
        check_rows(
            own.model, Tokenizer.from_str(load_tokenizer_json(model.weights)), f"models/{model.name}.yaml"
        )
        student = cut_layers(own, model.layers, kept)
        fresh = start_fresh(student.model)
    else:
        whole = load_teacher(teacher, attention=None if features is None else "eager")
        if model.kind == "narrow":
            student = make_narrow(whole, model, kept)
        else:
            student = cut_layers(whole, model.layers, kept)
    student.separator = None if separation is None else separation.separator
    adapters = None
    if model.kind == "transformer" and model.lora is not None:
        adapters = add_adapters(student.model, model.lora)
    # A lean form would train copies: of a head that is put in order, and of weights beside adapters.
    is_lean = student.order is None and adapters is None
    taught = make_lean(student, torch.arange(16).reshape(2, 8)) if is_lean else student
    if features is not None:
        other = load_teacher(teacher, attention="eager").model
        taught = InnerStudent(taught, student.model, other, kept, features.layers)
    return Made(student, taught, fresh, adapters)


def make_towers(
    model: StaticModel, teacher: Teacher, kept: npt.NDArray[np.int64], separation: Separation, tokens: Tokens
) -> Made:
    """Make the encoder of two towers, and the pair of them that is trained, for pairs like these tokens."""
    tower = StaticNetwork(len(kept), model.pairs, model.dimension, model.hidden, model.dimension)
    start_from_teacher(tower, teacher, kept)
    start_as_bag(tower, np.bincount(tokens.ids, minlength=len(kept)))
    return Made(tower, TwoTowers(tower, separation.separator))


def _load_own(weights: str, teacher: Teacher) -> HeadedEncoder:
    """Load a checkpoint with a head for what the teacher puts out: a new one, where it has no such head."""
    network = load_headed(weights, len(teacher.outputs), attention="eager")
    name_outputs(network, teacher.outputs)
    return HeadedEncoder(network)
