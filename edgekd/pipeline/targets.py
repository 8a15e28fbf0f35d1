"""Which targets of a project a call is about, and which of them can be measured here."""

from __future__ import annotations

from collections.abc import Sequence

from edgekd.config import Target
from edgekd.errors import ConfigError, MissingRuntimeError, unknown_name
from edgekd.measure.basis import find_basis
from edgekd.measure.environment import read_environment
from edgekd.pipeline.context import Context


def find_measurable(context: Context, only: tuple[str, ...]) -> tuple[tuple[Target, ...], list[Target]]:
    """Return the targets, and those of them that can be measured here; `only` names the wanted, all if empty.

    Raises:
        ConfigError: one of the names is no target of the project.
        MissingRuntimeError: a target that is asked for by name cannot be measured here.
    """
    names = [target.name for target in context.targets]
    for name in only:
        if name not in names:
            raise ConfigError(unknown_name("target", name, names))
    here = read_environment(1)
    targets = tuple(target for target in context.targets if not only or target.name in only)
    measurable = []
    for target in targets:
        basis, reason = find_basis(target.hardware, here)
        if basis != "not measured":
            measurable.append(target)
        elif target.name in only:
            raise MissingRuntimeError(f"target {target.name}: cannot be measured here: {reason}")
    return targets, measurable


def by_threads(targets: Sequence[Target]) -> dict[int, list[Target]]:
    """Group targets by the threads that a model may use."""
    threads = sorted({target.threads for target in targets})
    return {count: [target for target in targets if target.threads == count] for count in threads}
