"""What a checkpoint or a shape cannot do, told from their configurations before anything is trained.

Models are laid out on torch's meta device: their layers and tables have sizes there, and no weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import torch

from edgekd.config import FeatureStage, StudentModel
from edgekd.distill.cut import choose_layers
from edgekd.distill.layers import find_layers
from edgekd.distill.narrow import make_shape
from edgekd.distill.places import count_places
from edgekd.distill.sizes import keep_layers
from edgekd.distill.training.inner import open_matcher
from edgekd.distill.weights import load_config, quiet
from edgekd.errors import ConfigError


def check_encoder(location: str, max_tokens: int, written: str, key: str) -> None:
    """Hold an encoder's limit against its places; `written` is how the project names it, `key` what sets it.

    Raises:
        ConfigError: if texts of that many tokens have no place, or it is no checkpoint of a known kind.
    """
    _check_places(_lay_out(load_config(location)), max_tokens, written, key)


def check_students(
    students: Sequence[StudentModel],
    teacher: str,
    own: Mapping[str, str],
    features: FeatureStage | None,
) -> None:
    """Hold students' shapes against what they are made of: the teacher, or weights of their own.

    `teacher` is where its checkpoint lies, and `own` where those of students lie that have one, by name.

    Raises:
        ConfigError: naming the model file and what of it is impossible.
    """
    with_layers = [model for model in students if model.kind != "static"]
    if not with_layers:
        return
    taught = _lay_out(load_config(teacher))
    for model in with_layers:
        source = _lay_out(load_config(own[model.name])) if model.name in own else taught
        written = f"students: '{model.name}'"
        try:
            student = _shape(source, model)
            if features is not None:
                open_matcher(student, taught, features.layers)
        except ConfigError as error:
            raise ConfigError(f"{written}: {error}") from None
        _check_places(student, model.max_tokens, written, "max_tokens beside its name")


def _shape(source: Any, model: StudentModel) -> Any:
    """Lay a student out."""
    config = deepcopy(source.config)
    if model.kind == "narrow":
        with torch.device("meta"), quiet():
            return make_shape(config, model, config.vocab_size)
    assert model.kind == "transformer"
    find_layers(source)
    keep_layers(config, choose_layers(source, model.layers)[1])
    return _lay_out(config)


def _lay_out(config: Any) -> Any:
    """Make a model with a head from its configuration, without weights where its family allows that."""
    from transformers import AutoModelForSequenceClassification

    kind: Any = AutoModelForSequenceClassification
    with quiet():
        try:
            with torch.device("meta"):
                return kind.from_config(config)
        except (RuntimeError, NotImplementedError):  # it looks at numbers while it is made
            return kind.from_config(config)
        except ValueError as error:
            words = " ".join(str(error).split())
            raise ConfigError(
                f"{type(config).__name__}: no text classifier is made of it: {words:.160}"
            ) from None


def _check_places(model: Any, max_tokens: int, written: str, key: str) -> None:
    places = count_places(model)
    if places is not None and max_tokens > places:
        raise ConfigError(
            f"{written} has {places} places for tokens, and max_tokens is {max_tokens}: "
            f"set {key} to {places} or less"
        )
