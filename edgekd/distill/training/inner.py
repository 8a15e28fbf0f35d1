"""A student that also learns from what is inside its teacher: the models' side of feature matching."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from edgekd.distill.layers import find_layers
from edgekd.distill.logs.profile import Phase
from edgekd.distill.training.features import EncoderShape, FeatureMatcher, Features, FeatureTerms
from edgekd.distill.training.layermap import LayerMap, uniform_map
from edgekd.errors import ConfigError

_PROJECTIONS = (
    ("query", "key", "value"),
    ("q", "k", "v"),
    ("q_lin", "k_lin", "v_lin"),
    ("q_proj", "k_proj", "v_proj"),
    ("query_proj", "key_proj", "value_proj"),
)


class InnerStudent(nn.Module):
    """Trains `answering`, `(ids, mask) -> outputs`; asked for it, it matches features as well.

    The teacher reads the student's own tokens, so that both speak of the same places; it is in eval mode,
    in the loop for as many epochs as features are matched, and no part of the state that is kept. The
    matcher's projections are, until the student is written.

    Args:
        answering: What is trained: the whole student, or the lean form that shares its parameters.
        student: The whole student, a Hugging Face model with a head and plain attention.
        teacher: A model of that form, too.
        kept: The teacher's id of each of the student's, shape [token].
        layers: Student layer to teacher layer; evenly spread where absent.

    Raises:
        ConfigError: if the map does not fit, or an encoder's attention is of an unknown form.
    """

    def __init__(
        self,
        answering: nn.Module,
        student: Any,
        teacher: Any,
        kept: npt.NDArray[np.int64],
        layers: LayerMap | None,
    ) -> None:
        super().__init__()
        self.answering = answering
        self.matcher = open_matcher(student, teacher, layers)
        # Held so that they are neither saved, nor trained, nor put into training mode.
        self._held: tuple[Any, Any] = (student, teacher.eval().requires_grad_(False))
        self._kept = torch.from_numpy(kept)
        self._enter: Callable[[Phase], None] | None = None

    def tell_phases(self, enter: Callable[[Phase], None]) -> None:
        """Have `enter` told where the teacher's forward pass begins, and where the student's does."""
        self._enter = enter

    @property
    def row_tables(self) -> tuple[Tensor, ...]:
        """Tables of which a step reads few rows."""
        tables: tuple[Tensor, ...] = getattr(self.answering, "row_tables", ())
        return tables

    @property
    def has_idle_parts(self) -> bool:
        """Whether there are projections, which learn nothing once features are no longer matched."""
        return next(self.matcher.parameters(), None) is not None

    def forward(
        self, ids: Tensor, mask: Tensor | None = None, matches: bool = False
    ) -> Tensor | tuple[Tensor, FeatureTerms]:
        """Return outputs [row, output], and with `matches` the terms of feature matching, each [row]."""
        if not matches:
            outputs: Tensor = self.answering(ids, mask)
            return outputs
        student, teacher = self._held
        wants_relations = self.matcher.relation_heads is not None
        self._begin("teacher", ids)
        with torch.no_grad():
            _, taught = show_features(teacher, self._kept[ids], mask, wants_relations)
        self._begin("student", ids)
        outputs, shown = show_features(student, ids, mask, wants_relations)
        return outputs, self.matcher(shown, taught, mask)

    def _begin(self, phase: Phase, ids: Tensor) -> None:
        """Say that a phase begins; on a GPU what was called before must have ended."""
        if self._enter is None:
            return
        if ids.is_cuda:
            torch.cuda.synchronize(ids.device)
        self._enter(phase)

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> InnerStudent:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for model in self._held:
            model._apply(fn)
        self._kept = fn(self._kept)
        return self


def open_matcher(student: Any, teacher: Any, layers: LayerMap | None) -> FeatureMatcher:
    """Make what compares the features of two models of `transformers`, after a look at both.

    Raises:
        ConfigError: if the map does not fit, or an encoder's attention is of an unknown form.
    """
    ours, theirs = (_shape(model.config) for model in (student, teacher))
    matcher = FeatureMatcher(ours, theirs, layers or uniform_map(ours.layers, theirs.layers))
    if matcher.relation_heads is not None:
        for model in (student, teacher):
            _projections(model)
    return matcher


def show_features(model: Any, ids: Tensor, mask: Tensor | None, relations: bool) -> tuple[Tensor, Features]:
    """Run a Hugging Face model with a head; return its outputs and what it shows of itself.

    With `relations` it shows each layer's queries, keys and values, else its attention maps.
    """
    parts = _projections(model) if relations else []
    seen: dict[nn.Module, Tensor] = {}

    def catch(module: nn.Module, inputs: Any, output: Tensor) -> None:
        seen.setdefault(module, output)  # DeBERTa then projects distances by the same

    hooks = [part.register_forward_hook(catch) for part in parts]
    try:
        out = model(
            input_ids=ids, attention_mask=mask, output_hidden_states=True, output_attentions=not relations
        )
    finally:
        for hook in hooks:
            hook.remove()
    caught = [seen[part] for part in parts]
    if any(states.shape[:2] != ids.shape for states in (*caught, *out.hidden_states)):
        raise ConfigError(
            f"distillation.features: {type(model).__name__} has inner states of other tokens than it is "
            "given; leave features out"
        )
    projected = tuple(zip(caught[::3], caught[1::3], caught[2::3], strict=True))
    return out.logits, Features(out.hidden_states, () if relations else out.attentions, projected)


def _projections(model: Any) -> list[nn.Module]:
    layers = model.get_submodule(find_layers(model))
    found = [part for layer in layers for part in _of_layer(layer)]
    if len(found) == 3 * len(layers):
        return found
    raise ConfigError(
        f"distillation.features: {type(model).__name__} has no layers with query, key and value projections; "
        "leave features out"
    )


def _of_layer(layer: nn.Module) -> list[nn.Module]:
    parts = layer.named_modules()
    named = {name.rsplit(".", 1)[-1]: part for name, part in parts if "base_layer" not in name}
    for names in _PROJECTIONS:
        if all(hasattr(named.get(name), "in_features") for name in names):  # an adapted one is no nn.Linear
            return [named[name] for name in names]
    return []


def _shape(config: Any) -> EncoderShape:
    return EncoderShape(config.num_hidden_layers, config.hidden_size, config.num_attention_heads)
