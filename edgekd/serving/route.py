"""Whether the student's answer stands, goes on to the teacher, or is a safe refusal.

The policy is part of the artifact, in `calibration.json`:

    {"max_prob": 0.45, "margin": 0.0,              to the teacher below either
     "refuse_below": 0.2, "refuse_as": "oos",      refused below that, with this label
     "refusable": ["small_talk"],                  refused only where it would be one of these answers
     "families": [{"labels": ["order"], "max_prob": 0.6, "margin": 0.08}],   theirs in place of the first two
     "critical": ["abuse"], "risk": 0.05,          to the teacher if these together are likelier
     "critical_prob": 0.9,                         `max_prob` of answers that are critical themselves
     "slices": {"not-english": 0.6, "minors": 1},  a higher `max_prob` in a slice; 1: always
     "incumbent": {"artifact": "3f…", "slices": ["ios"]},   these stay with the version before, of this digest
     "rules": [{"phrase": "charge back", "label": "dispute"}]}   answered so, above the student

An empty policy answers everything.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .errors import ServingError

if TYPE_CHECKING:
    import numpy.typing as npt

ANSWER, TEACHER, REFUSE, INCUMBENT = "answer", "teacher", "refuse", "incumbent"
_KEYS = {
    "max_prob", "margin", "refuse_below", "refuse_as", "critical", "risk", "critical_prob", "slices", "rules",
    "incumbent", "refusable", "families",
}  # fmt: skip


class Route(NamedTuple):
    """What to do with a text: `action` is answer, teacher, refuse, or incumbent for the version before.

    `label` is the student's, a rule's, or where it refuses that of the refusal (empty if there is none);
    `probability` is always the student's own, of the label that it would answer.
    """

    action: str
    label: str
    probability: float
    reason: str


class Policy:
    """An open policy; checked when it is opened, so that no call can fail."""

    def __init__(
        self,
        document: dict[str, Any],
        labels: Sequence[str],
        bias: npt.NDArray[np.float64] | None = None,
    ) -> None:
        if unknown := sorted(set(document) - _KEYS):
            raise ServingError(f"routing: '{unknown[0]}' is not known; expected {', '.join(sorted(_KEYS))}")
        self._labels = tuple(labels)
        self._weights = None if bias is None else np.exp(bias)
        self._max_prob = _share(document, "max_prob")
        self._margin = _share(document, "margin")
        self._refuse_below = _share(document, "refuse_below")
        self._refusable = self._places(document, "refusable") if "refusable" in document else None
        self._families = self._open_families(document.get("families", []))
        refuse_as = document.get("refuse_as", "")
        if not isinstance(refuse_as, str):
            raise ServingError(f"routing: refuse_as: expected a label, got {refuse_as!r:.40}")
        self._refuse_as = refuse_as
        self._risk = _share(document, "risk", 1.0)
        self._critical_prob = _share(document, "critical_prob", self._max_prob)
        self._is_critical = self._places(document, "critical")
        self._critical = np.array(sorted(self._is_critical), np.int64)
        if self._refuse_as:
            self._place(self._refuse_as)
        slices = document.get("slices", {})
        if not isinstance(slices, dict):
            raise ServingError(f"routing: slices: expected names with their thresholds, got {slices!r:.40}")
        self._slices = {str(name): _share(slices, name) for name in slices}
        self._holder, self._held = _held(document.get("incumbent"))
        self._rules = []
        rules = document.get("rules", [])
        if not isinstance(rules, list):
            raise ServingError(f"routing: rules: expected a list, got {rules!r:.40}")
        for rule in rules:
            is_rule = isinstance(rule, dict) and set(rule) == {"phrase", "label"}
            if not is_rule or not all(isinstance(part, str) for part in rule.values()):
                raise ServingError(f"routing: rules: expected a phrase and a label each, got {rule!r:.40}")
            self._place(rule["label"])
            self._rules.append((_pattern(str(rule["phrase"])), str(rule["label"])))

    def decide(self, text: str, probabilities: npt.NDArray[np.float64], slices: Sequence[str] = ()) -> Route:
        """Decide about one text from its calibrated probabilities [label]."""
        weighted = probabilities if self._weights is None else probabilities * self._weights
        index = int(weighted.argmax())
        top = float(probabilities[index])
        label = self._labels[index]
        for pattern, ruled in self._rules:
            if found := pattern.search(text):
                return Route(ANSWER, ruled, top, f"rule: {found.group()}")
        least = max((self._slices.get(name, 0.0) for name in slices), default=0.0)
        max_prob, margin = self._families.get(index, (self._max_prob, self._margin))
        needed = max(max_prob, least)
        if least >= 1:
            return Route(TEACHER, label, top, "this slice always goes to the teacher")
        if self._held and not self._held.isdisjoint(slices):
            return Route(INCUMBENT, label, top, f"this slice stays with {self._holder[:12]}")
        if self._is_critical:
            risk = float(probabilities[self._critical].sum())
            if index in self._is_critical:
                sure = max(self._critical_prob, least)
                if top < sure or sure >= 1:
                    return Route(TEACHER, label, top, f"critical, and below {sure:g}")
                return Route(ANSWER, label, top, "critical, and sure")
            if risk > self._risk:
                return Route(TEACHER, label, top, f"a critical label has {risk:.3g}, above {self._risk:g}")
        if top < self._refuse_below and (self._refusable is None or index in self._refusable):
            return Route(REFUSE, self._refuse_as, top, f"below {self._refuse_below:g}")
        if top < needed or needed >= 1:
            return Route(TEACHER, label, top, f"below {needed:g}")
        if margin and top - float(np.delete(probabilities, index).max(initial=0.0)) < margin:
            return Route(TEACHER, label, top, f"the next label is within {margin:g}")
        return Route(ANSWER, label, top, "sure")

    def _open_families(self, families: Any) -> dict[int, tuple[float, float]]:
        """Return the threshold and the margin of each label that is in a family."""
        found: dict[int, tuple[float, float]] = {}
        for family in families if isinstance(families, list) else [families]:
            if not isinstance(family, dict) or not {"labels"} <= set(family) <= {
                "labels",
                "max_prob",
                "margin",
            }:
                raise ServingError(
                    f"routing: families: expected labels, max_prob and margin each, got {family!r:.60}"
                )
            limits = _share(family, "max_prob", self._max_prob), _share(family, "margin", self._margin)
            found |= dict.fromkeys(self._places(family, "labels"), limits)
        return found

    def _places(self, document: dict[str, Any], name: str) -> frozenset[int]:
        labels = document.get(name, [])
        if not isinstance(labels, list):
            raise ServingError(f"routing: {name}: expected a list of labels, got {labels!r:.40}")
        return frozenset(self._place(label) for label in labels)

    def _place(self, label: str) -> int:
        try:
            return self._labels.index(label)
        except ValueError:
            raise ServingError(f"routing: '{label!s:.60}' is no label of this model") from None


def _pattern(phrase: str) -> re.Pattern[str]:
    """Match a phrase as whole words, in any case and spacing; in scripts without spaces anywhere."""
    words = phrase.split()
    if not words:
        raise ServingError("routing: a rule's phrase is empty")
    first, last = (
        r"\b" if edge.isalnum() and edge < "\u2e80" else ""
        for edge in (phrase.strip()[0], phrase.strip()[-1])
    )
    return re.compile(first + r"\s+".join(map(re.escape, words)) + last, re.IGNORECASE)


def _held(document: Any) -> tuple[str, frozenset[str]]:
    """Read which version keeps which slices."""
    if document is None:
        return "", frozenset()
    known = document if isinstance(document, dict) else {}
    artifact, names = known.get("artifact"), known.get("slices")
    is_whole = set(known) == {"artifact", "slices"} and isinstance(artifact, str) and isinstance(names, list)
    slices = names if isinstance(names, list) else []
    if not is_whole or not all(isinstance(name, str) for name in slices):
        raise ServingError(f"routing: incumbent: expected an artifact and its slices, got {document!r:.60}")
    return str(artifact), frozenset(slices)


def _share(document: dict[str, Any], name: str, absent: float = 0.0) -> float:
    value = document.get(name, absent)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ServingError(f"routing: {name} must be from 0 to 1, got {value!r:.40}")
    return float(value)
