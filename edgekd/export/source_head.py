"""What the outputs of a model from elsewhere mean, as its config.json says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekd.distill.outputs import read_names
from edgekd.errors import ConfigError
from edgekd.serving.heads import Head, takes_candidates
from edgekd.serving.pairs import LONGEST

_KINDS = ("single_label_classification", "multi_label_classification", "regression")


def read_source_head(place: str, config: Mapping[str, Any], count: int, asked: str = "") -> Head:
    """Return what a model with `count` outputs answers: one of its labels, all that apply, or a score.

    `asked` names the head that it is to have. Scores of pairs may be of any size: an order is made of them.

    Raises:
        ConfigError: numbers of any size, a kind of problem that is not known, or labels that do not fit; or
            its outputs are not those of the head that is asked for.
    """
    if asked and takes_candidates(Head(asked)):
        if count != 1:
            raise ConfigError(
                f"{place}: has {count} outputs; expected one, the score of a query with a candidate"
            )
        return Head(asked, cut=LONGEST)
    found = _read_head(place, config, count)
    if asked and found.name != asked:
        raise ConfigError(
            f"{place}: with its {count} outputs it answers as the head {found.name} does; expected those of "
            f"{asked}"
        )
    return found


def _read_head(place: str, config: Mapping[str, Any], count: int) -> Head:
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
