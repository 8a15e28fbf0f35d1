"""The shapes among which a student is chosen: what range files declare and a target's runtimes can run."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgekd.compile.choose import choose_build, serves
from edgekd.config import Build, ModelRange, StudentModel, Target
from edgekd.errors import ConfigError
from edgekd.plugins import list_plugins
from edgekd.sizing.design import untaught
from edgekd.sizing.shapes import Shape

MOST_SHAPES = 200_000
"""Beyond it no answer would come in time."""


@dataclass(frozen=True)
class Space:
    """Students of model files, with ranges or without.

    Attributes:
        files: What the model files say.
        depth: Layers of the teacher that students are cut from.
    """

    files: tuple[ModelRange | StudentModel, ...]
    depth: int

    def shapes(self, target: Target) -> Iterator[Shape]:
        """Yield every shape that the target's runtimes can run, each once.

        Raises:
            ConfigError: there is none, or there are too many.
        """
        reasons: list[str] = []
        count = 0
        for file in self.files:
            models = tuple(file.models(self.depth)) if isinstance(file, ModelRange) else (file,)
            builds = _list_builds(file, target, reasons)
            count += len(models) * len(builds)
            if count > MOST_SHAPES:
                raise ConfigError(
                    f"target {target.name}: more than {MOST_SHAPES:,} shapes; give the ranges fewer values"
                )
            for model, (build, threads) in itertools.product(models, builds):
                # Rows beyond the vocabulary share nothing: the same artifact as without.
                if build.rows is None or build.rows < count_rows(model):
                    yield Shape(model, build.runtime, build.recipe, threads, build.rows, build.streams)
        if not count:
            why = f": {reasons[0]}" if reasons else ""
            names = ", ".join(file.name for file in self.files) or "none"
            raise ConfigError(
                f"target {target.name}: no shape of the model files ({names}) can run there{why}; give other "
                "ranges, or another target"
            )

    def draw(self, target: Target, count: int, seed: int, leave_out: Sequence[Shape] = ()) -> list[Shape]:
        """Draw shapes at random, as many of each family as of the others while it has some left."""
        rng = random.Random(seed)
        families: dict[object, list[Shape]] = {}
        left_out = {(untaught(shape.model).name, shape.family) for shape in leave_out}
        for shape in self.shapes(target):
            if (untaught(shape.model).name, shape.family) not in left_out:
                families.setdefault((shape.model.kind, *shape.family), []).append(shape)
        for shapes in families.values():
            rng.shuffle(shapes)
        turns = itertools.chain.from_iterable(itertools.zip_longest(*families.values()))
        return list(itertools.islice((shape for shape in turns if shape is not None), count))


def count_rows(model: StudentModel) -> int:
    """Return how many rows a student's largest embedding table has at most."""
    return model.vocabulary + model.pairs if model.kind == "static" else model.vocabulary


def _list_builds(
    file: ModelRange | StudentModel, target: Target, reasons: list[str]
) -> list[tuple[Build, int]]:
    """List the builds of a file's students with their threads; `reasons` gets why others are none."""
    kind = str(file.fixed["kind"]) if isinstance(file, ModelRange) else file.kind
    compiled = file.compiled if isinstance(file, ModelRange) else None
    builds = list(target.builds)
    if compiled is not None and (compiled.runtime or compiled.recipe or compiled.rows):
        own = {build.runtime for build in target.builds}
        runtimes = [name for name in compiled.runtime or sorted(own) if name in own]
        reasons += [f"{target.name} has no {name}" for name in compiled.runtime if name not in own]
        recipes = compiled.recipe or tuple(dict.fromkeys(build.recipe for build in target.builds))
        if unknown := [name for name in recipes if name not in list_plugins("recipes")]:
            raise ConfigError(
                f"recipe '{unknown[0]}' is unknown; known: {', '.join(list_plugins('recipes'))}"
            )
        rows: tuple[int | None, ...] = compiled.rows or (None,)
        builds = [
            Build(runtime=runtime, recipe=recipe, rows=count)
            for runtime, recipe, count in itertools.product(runtimes, recipes, rows)
        ]
    threads = (compiled.threads if compiled is not None else ()) or (target.threads,)
    most = max(1, int(target.hardware.vcpus))
    reasons += [f"{target.name} has {most} processors, not {count}" for count in threads if count > most]
    found = []
    for build in builds:
        if not serves(build, "static" if kind == "static" else "transformer"):
            reasons.append(f"{build.recipe} compiles no {kind} student")
            continue
        try:
            choose_build(build, target.hardware)
        except ConfigError as error:
            reasons.append(str(error))
            continue
        found += [(build, count) for count in threads if count <= most and build.streams <= count]
    return found
