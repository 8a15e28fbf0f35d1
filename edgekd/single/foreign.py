"""Compile a model that was trained elsewhere, apart from any project."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edgekd.compile import Artifact, compile_graph, open_artifact
from edgekd.compile.choose import serves
from edgekd.compile.compile import Examples
from edgekd.config import Build, Target
from edgekd.errors import ConfigError, EdgekdError, MissingRuntimeError
from edgekd.export import Graph
from edgekd.export.foreign import adopt_model
from edgekd.export.one_input import quantized_operators
from edgekd.measure.basis import find_basis
from edgekd.measure.environment import read_environment
from edgekd.plugins import list_plugins, load_plugin
from edgekd.progress import Progress
from edgekd.serving.heads import Head, takes_candidates
from edgekd.serving.request import split_request
from edgekd.store import digest_file
from edgekd.tasks import Task

Built = tuple[str, str, Artifact | EdgekdError]
"""Target, variant, and its artifact or why there is none."""


def compile_foreign(
    source: Path,
    targets: Sequence[Target],
    texts: Sequence[str],
    out: Path,
    progress: Progress,
    task: Task | None = None,
) -> list[Built]:
    """Write `out/<target>/<variant>` for every build of every target; a build that fails is said, not raised.

    So is a target of whose builds none is for this kind of model. `task` says what the model is for, where
    its outputs leave that open.

    The temperature is 1: there are no labels to fit it on. Equal builds of several targets are compiled once.

    Raises:
        MissingRuntimeError: a target's builds can only be made on its own hardware.
        ConfigError: `out` holds artifacts of a target already, or `source` is no model that can be compiled.
    """
    _check_texts(texts, task)
    for place in (out / target.name for target in targets):
        is_full = place.is_dir() and any(place.iterdir())
        if is_full or any(path.exists() and not path.is_dir() for path in (out, place)):
            raise ConfigError(f"{place}: is not an empty folder; give another one with --out, or remove it")
    for target in targets:
        basis, reason = find_basis(target.hardware, read_environment(1))
        if basis == "not measured":
            raise MissingRuntimeError(f"target {target.name}: cannot be compiled here: {reason}")
    out.mkdir(parents=True, exist_ok=True)
    built: list[Built] = []
    made: dict[tuple[Build, tuple[str, ...]], Artifact | EdgekdError] = {}
    with tempfile.TemporaryDirectory(dir=out) as temporary:
        progress(0.0, f"reading {source}")
        graph = adopt_model(source, Path(temporary), texts, task.head if task else "")
        jobs = [(t, build) for t in targets for build in t.builds if serves(build, graph.kind)]
        origin = {"source": source.resolve().name, "data": "none", "weights": digest_file(graph.path)}
        for number, (target, build) in enumerate(jobs):
            progress((1 + number) / (1 + len(jobs)), f"{target.name}: {build.runtime}.{build.label}")
            name = f"{graph.student}.{build.runtime}.{build.label}"
            key = (build, target.hardware.isa)
            if key not in made:
                folder = Path(temporary) / f"{number}-{name}"
                try:
                    _check_recipe(graph, build)
                    made[key] = compile_graph(
                        graph,
                        build,
                        target.hardware,
                        Examples(texts),
                        task=task.name if task else graph.head.name,
                        provenance=origin,
                        folder=folder,
                    )
                except EdgekdError as error:
                    made[key] = error
            found = made[key]
            if isinstance(found, Artifact):
                place = out / target.name / name
                shutil.copytree(found.path, place)
                found = open_artifact(place, parity=found.parity)
            built.append((target.name, name, found))
    served = {name for name, _, _ in built}
    return built + [_no_build(target, graph) for target in targets if target.name not in served]


def _no_build(target: Target, graph: Graph) -> tuple[str, str, EdgekdError]:
    recipes = ", ".join(sorted({build.recipe for build in target.builds}))
    words = f"none of the target's recipes ({recipes}) compiles a {graph.kind}; name another target"
    return target.name, graph.student, ConfigError(words)


def _check_texts(texts: Sequence[str], task: Task | None) -> None:
    """Make sure that texts are what the model is asked: requests have candidates, and other texts none."""
    wanted = task is not None and takes_candidates(Head(task.head))
    odd = sum(bool(split_request(text)[1]) != wanted for text in texts)
    if odd and wanted:
        raise ConfigError(
            f"{odd} of {len(texts)} texts have no candidates; expected rows with query and candidates"
        )
    if odd:
        raise ConfigError(
            f"{odd} of {len(texts)} texts are a query with candidates; give --task rerank for a model that "
            "orders them, or texts alone"
        )


def _check_recipe(graph: Graph, build: Build) -> None:
    import onnx

    if build.recipe in list_plugins("recipes") and not load_plugin("recipes", build.recipe).IS_EXACT:
        operators = quantized_operators(onnx.load(graph.path, load_external_data=False))
        if operators:
            raise ConfigError(
                f"{graph.student} is quantized already (it holds {', '.join(operators)}); give the model in "
                f"full precision for {build.recipe}"
            )
