"""A finding: what was seen, the figures, and the command to try next."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from edgekd.config import Distillation, Training


@dataclass(frozen=True)
class Finding:
    """What a training's log shows. `commands` are alternatives, the likeliest first."""

    name: str
    what: str
    evidence: tuple[str, ...]
    advice: str
    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class Setup:
    """What a model was trained with, as far as commands need it.

    `place` is its key in the project file, `students.0` or `teacher`. `larger` is a model file of a larger
    shape that the project does not train yet; `others` are the project's other students. `settings` are what
    the run's own command set (`key.sub=value`), which a command to try next keeps. Of a log alone they are
    not known.
    """

    project: str = "PROJECT"
    place: str = "students.0"
    training: Training = field(default_factory=Training)
    distillation: Distillation = field(default_factory=Distillation)
    larger: str | None = None
    others: tuple[Mapping[str, Any], ...] = ()
    settings: tuple[str, ...] = ()
    is_known: bool = True

    def command(self, verb: str = "run", /, **settings: Any) -> str:
        """Write a command that changes settings and keeps the run's own; `__` stands for the dot of a key.

        >>> Setup().command(distillation__alpha=0.7)
        'edgekd run PROJECT --set distillation.alpha=0.7'
        """
        changes = {key.replace("__", "."): _in_yaml(value) for key, value in settings.items()}
        kept = [
            setting
            for setting in self.settings
            if not any(f"{setting.partition('=')[0]}.".startswith(f"{key}.") for key in changes)
        ]
        words = ["edgekd", verb, self.project]
        for setting in (*kept, *(f"{key}={value}" for key, value in changes.items())):
            words += ["--set", setting]
        return shlex.join(words)

    def retrain(self, **changes: Any) -> str:
        """Write a command that trains this model with other keys.

        All keys that are not defaults are named: one alone would put the model file's back to defaults. So
        are those that change, whatever the defaults are.

        >>> Setup().retrain(epochs=4)
        "edgekd run PROJECT --set 'students.0.training={epochs: 4}'"
        """
        own = self.training.model_dump(mode="json", exclude_defaults=True)
        training = {**own, **Training(**{**own, **changes}).model_dump(mode="json", include=set(changes))}
        return self.command(**{f"{self.place}.training": training})

    def enlarge(self) -> tuple[str, ...]:
        """Write the commands that try a larger student in this one's place, or go on without this one."""
        if self.larger is not None:
            return (self.command(**{self.place: self.larger}),)
        if self.others:
            return (self.command(students=[dict(entry) for entry in self.others]),)
        return ()


def _in_yaml(value: Any) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6)
    return text.removesuffix("\n").removesuffix("\n...")
