"""Which students are tried: proposed by Optuna, from what was seen of the others."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from edgekd.config import StudentModel
from edgekd.extras import installed

_UNTRIED = {"name", "training", "lora", "kind", "weights"}
"""Keys of a student that are no size."""
_STARTUP = 6
"""Students drawn at random before any is proposed from what was seen."""


class Proposer:
    """Proposes students of a list, each once, by Optuna's tree-structured Parzen estimator.

    Source: Watanabe, S. (2023), arXiv:2304.11127; of two figures: Ozaki, Y. et al. (2020), GECCO. The seed
    decides: the same list and the same results give the same proposals, so that a search that was killed
    finds what it had made in the store.

    Raises:
        MissingExtraError: Optuna is not installed.
    """

    def __init__(self, models: Sequence[StudentModel], seed: int) -> None:
        with installed():
            import optuna
        optuna.logging.set_verbosity(logging.WARNING)
        self._models = {model.name: model for model in models}
        self._left = dict(self._models)
        sizes = {name: _sizes(model) for name, model in self._models.items()}
        self._sizes = sizes
        self._choices = {
            key: sorted(
                {found[key] for found in sizes.values() if key in found},
                key=lambda value: (isinstance(value, str), value),
            )
            for key in sorted({key for found in sizes.values() for key in found})
        }
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=_STARTUP)
        self._study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)

    def ask(self, count: int) -> list[StudentModel]:
        """Return students that were not proposed before; fewer where no more are left."""
        from optuna.trial import TrialState

        proposed: list[StudentModel] = []
        while self._left and len(proposed) < count:
            trial = self._study.ask()
            kinds = self._choices["kind"]
            wanted = {"kind": trial.suggest_categorical("kind", kinds)}
            for key, values in self._choices.items():
                if key.startswith(f"{wanted['kind']}."):
                    wanted[key] = trial.suggest_categorical(key, values)
            self._study.tell(trial, state=TrialState.FAIL)  # what it becomes is told with its own sizes
            nearest = min(self._left, key=lambda name: (self._distance(name, wanted), name))
            proposed.append(self._left.pop(nearest))
        return proposed

    def tell(self, name: str, drop: float, p95_ms: float) -> None:
        """Say what came of a student: its drop in points, and its p95 in ms."""
        from optuna.distributions import BaseDistribution, CategoricalDistribution
        from optuna.trial import create_trial

        own = self._sizes[name]
        distributions: dict[str, BaseDistribution] = {
            key: CategoricalDistribution(self._choices[key]) for key in own
        }
        trial = create_trial(params=dict(own), distributions=distributions, values=[drop, p95_ms])
        self._study.add_trial(trial)

    def _distance(self, name: str, wanted: Mapping[str, Any]) -> float:
        """Count how far a student is from what was proposed: steps along the values of each size."""
        own = self._sizes[name]
        if own["kind"] != wanted["kind"]:
            return 1e6
        found = 0.0
        for key, value in wanted.items():
            values = self._choices[key]
            found += abs(values.index(own[key]) - values.index(value)) / max(1, len(values) - 1)
        return found


def _sizes(model: StudentModel) -> dict[str, str | int]:
    """Return a student's sizes, each under a name of its own kind; layers that are listed as their number."""
    found: dict[str, str | int] = {"kind": model.kind}
    for key in type(model).model_fields:
        if key not in _UNTRIED:
            value = getattr(model, key)
            found[f"{model.kind}.{key}"] = len(value) if isinstance(value, tuple) else int(value)
    return found
