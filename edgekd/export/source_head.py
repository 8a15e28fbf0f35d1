"""What the outputs of a model from elsewhere mean, as its config.json says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekd.distill.outputs import read_names
from edgekd.errors import ConfigError
from edgekd.serving.heads import Head

_KINDS = ("single_label_classification", "multi_label_classification", "regression")


def read_source_head(place: str, config: Mapping[str, Any], count: int) -> Head:
    """Return what a model with `count` outputs answers: one of its labels, all that apply, or a score.

    Raises:
        ConfigError: numbers of any size, a kind of problem that is not known, or labels that do not fit.
    """
    kind = config.get("problem_type")
    if kind is not None and kind not in _KINDS:
        raise ConfigError(
            f"{place}: problem_type is {kind!r:.60}; expected none, or one of {', '.join(_KINDS)}"
        )
    if kind == "regression":
        what = "its one output is a number" if count == 1 else f"its {count} outputs are numbers"
        raise ConfigError(
            f"{place}: {what} of any size (problem_type: regression); expected the logit of a score from 0 "
            "to 1, or those of labels: train it on such a score with binary cross-entropy"
        )
    if count == 1:
        return Head("score")
    names = read_names(place, config, count)
    return Head("tags" if kind == "multi_label_classification" else "classify", names)
