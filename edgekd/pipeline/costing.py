"""The cost model of a target: fitted once, checked whenever it is used, and fitted anew if it is off."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgekd.compile import open_artifact
from edgekd.compile.choose import choose_build, libraries_of
from edgekd.config import Build, Target
from edgekd.engines.look import find_made
from edgekd.engines.processes import Processes
from edgekd.errors import BuildError, MissingRuntimeError
from edgekd.measure.basis import find_basis
from edgekd.measure.bench_file import load_bench
from edgekd.measure.environment import read_environment
from edgekd.measure.result import BenchResult
from edgekd.pipeline.compiling import place_artifact
from edgekd.pipeline.needs import EXPORTING, LEARNING, RUNNING, require_libraries
from edgekd.pipeline.opening import open_rows
from edgekd.pipeline.road import TOLERATED
from edgekd.pipeline.sizing import Sizing, compiled_step, measure_shape, measured_step
from edgekd.sizing.cost_model import LEAST_SHAPES, CostModel
from edgekd.sizing.design import design_models
from edgekd.sizing.measured import Measured, load_measured, read_bench
from edgekd.sizing.shapes import Shape
from edgekd.sizing.texts import COUNT, spread_lengths
from edgekd.store import parse_json, write_atomic

BUSY = 0.1
"""Share of the pinned cores' time that others may use before a measurement is not held against a model."""
_CHECKS = 2


@dataclass(frozen=True)
class Known:
    """A cost model and what it was fitted to."""

    model: CostModel
    measured: tuple[Measured, ...]
    notes: tuple[str, ...] = ()


def require_runtimes(target: Target, builds: Iterable[Build]) -> None:
    """Refuse a target that cannot be measured here, before anything is made.

    Raises:
        MissingRuntimeError: its hardware or a runtime is missing; MissingExtraError says how to install it.
    """
    basis, reason = find_basis(target.hardware, read_environment(1))
    if basis == "not measured":
        raise MissingRuntimeError(f"target {target.name}: cannot be measured here: {reason}")
    needs = [*LEARNING, *EXPORTING]
    for build in builds:
        recipe, _ = choose_build(build, target.hardware)
        needs += [*libraries_of(recipe, build.runtime), *RUNNING.get(build.runtime, (build.runtime,))]
    require_libraries(needs)


def list_design(sizing: Sizing, shapes: Sequence[Shape]) -> list[Shape]:
    """List the shapes to measure, so that the families of all of `shapes` can be predicted."""
    families = {shape.family: shape for shape in shapes}
    models = design_models(sizing.encoder.depth, with_pairs=not sizing.is_paired)
    made = ((like, replace(like, model=model)) for like in families.values() for model in models)
    return [shape for like, shape in made if shape.kind == like.kind]


def know_costs(sizing: Sizing, shapes: Sequence[Shape]) -> Known:
    """Return the cost model of a target's shapes, from the cache where it is there and still right.

    Fitting exports, compiles and measures a few dozen shapes: minutes. A kill loses none that were finished.
    A model from the cache is held against a fresh measurement of two of its shapes, seconds. Where both
    lie outside their intervals on a machine that is not busy, all shapes are measured anew.

    Raises:
        BuildError: too few shapes of a family could be compiled.
        MissingRuntimeError: as of `require_runtimes`.
    """
    require_runtimes(sizing.target, {shape.family: shape.build for shape in shapes}.values())
    design = list_design(sizing, shapes)
    place = _taken_file(sizing)
    taken = _read_taken(place)
    known, is_fresh = _fit(sizing, design, taken)
    if is_fresh:
        busy = count_busy(sizing, shapes)
        words = (
            f"{busy} of {len(known.measured)} shapes were measured beside other work: times may be too long"
        )
        return replace(known, notes=(*known.notes, words)) if busy else known
    outside = _check(sizing, known)
    if outside is None:
        words = "the machine is busy: the cost model was not held against it"
        return replace(known, notes=(*known.notes, words))
    if not outside:
        return known
    sizing.context.note(f"{outside}; all shapes are measured anew")
    write_atomic(place, str(taken + 1))
    again, _ = _fit(sizing, design, taken + 1)
    return again


def _fit(sizing: Sizing, design: Sequence[Shape], taken: int) -> tuple[Known, bool]:
    """Fit the model to what is measured, and say whether something was measured just now."""
    engine = sizing.context.engine
    measuring = {measured_step(sizing, shape, taken): shape for shape in design}
    there = find_made(sizing.context.store, measuring)
    compiling = {step: compiled_step(sizing, shape) for step, shape in measuring.items() if step not in there}
    if compiling:
        sizing.context.note(
            f"size: {len(compiling)} of {len(design)} shapes are to be compiled and measured for "
            f"{sizing.target.name}: about {_minutes(len(compiling))}"
        )
    failed = Processes(engine).run_all(compiling.values(), TOLERATED)
    measured, notes = [], []
    is_fresh = False
    for step, shape in measuring.items():
        if step in compiling and compiling[step] in failed:
            notes.append(f"{shape.name}: not compiled: {failed[compiling[step]]}")
            continue
        stage = there[step] if step in there else engine.make(step)
        is_fresh |= step not in there
        measured.append(load_measured(stage.path))
    counts = {family: 0 for family in (shape.family for shape in design)}
    for entry in measured:
        counts[entry.shape.family] += 1
    for family, count in counts.items():
        if count < LEAST_SHAPES:
            why = f": {notes[0]}" if notes else ""
            raise BuildError(
                f"{' '.join(map(str, family[:3]))}: only {count} shapes could be compiled and measured; "
                f"expected at least {LEAST_SHAPES}{why}"
            )
    return Known(CostModel.fit(measured, sizing.encoder), tuple(measured), tuple(notes)), is_fresh


def _check(sizing: Sizing, known: Known) -> str | None:
    """Measure shapes again; say where all lie outside their intervals, None where the machine is busy."""
    outside = []
    texts = spread_texts(sizing)
    for entry in _choose_checks(known.measured):
        path = place_artifact(sizing.context.engine.make(compiled_step(sizing, entry.shape)).path)
        artifact = open_artifact(path)
        with tempfile.TemporaryDirectory() as folder:
            result = measure_shape(artifact, texts, Path(folder), entry.shape.threads)
            now = read_bench(entry.shape, artifact, texts, result)
        if is_busy(result):
            return None
        guess = known.model.predict_measured(now).p50_ms
        if guess.low <= now.p50_ms <= guess.high:
            return ""
        outside.append(f"{entry.shape.name}: {now.p50_ms:.3g} ms, not {guess.low:.3g} to {guess.high:.3g}")
    return f"the machine is not as it was: {'; '.join(outside)}"


def _choose_checks(measured: Sequence[Measured]) -> list[Measured]:
    """Choose the shapes that are measured again: the middle one of the fastest, and of the slowest half."""
    order = sorted(measured, key=lambda entry: entry.p50_ms)
    return [order[len(order) // 4], order[3 * len(order) // 4]][:_CHECKS]


def is_busy(result: BenchResult) -> bool:
    """Say whether others used the machine while something was measured."""
    return max(max(one.others_share, one.steal_share) for one in result.conditions) > BUSY


def count_busy(sizing: Sizing, shapes: Sequence[Shape]) -> int:
    """Count the shapes of a fit during whose measurement the machine was busy."""
    taken = _read_taken(_taken_file(sizing))
    steps = [measured_step(sizing, shape, taken) for shape in list_design(sizing, shapes)]
    made = find_made(sizing.context.store, steps)
    return sum(is_busy(load_bench(made[step].path)) for step in steps if step in made)


def spread_texts(sizing: Sizing) -> list[str]:
    """Return the texts that shapes are timed with."""
    rows = open_rows(sizing.context.engine.make(sizing.context.data).path)
    return spread_lengths(rows.split("validation").requests, COUNT)


def _minutes(shapes: int) -> str:
    """Guess how long shapes take: 34 of `lambda-x86` took 125 s, others may take longer."""
    minutes = max(1, round(shapes * 125 / 34 / 60))
    return "a minute" if minutes == 1 else f"{minutes} minutes on two quiet cores"


def _taken_file(sizing: Sizing) -> Path:
    fingerprint = read_environment(sizing.target.threads).fingerprint[:16]
    return sizing.context.workspace / "taken" / f"{sizing.context.project.task}-{fingerprint}.json"


def _read_taken(path: Path) -> int:
    try:
        return int(parse_json(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # never measured again
        return 0
