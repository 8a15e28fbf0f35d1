"""Measure the shapes that a sizing would recommend: compiled from their last rung, in one interleaved run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edgekd.compile import Artifact
from edgekd.config import Target
from edgekd.data.taskdata import TaskData
from edgekd.engines.processes import Processes
from edgekd.engines.step import Step
from edgekd.pipeline.answering import artifact_answers
from edgekd.pipeline.bench import Bench, bench_artifacts, in_ms
from edgekd.pipeline.compiling import Trained, compile_step, open_built
from edgekd.pipeline.context import Context
from edgekd.pipeline.exporting import export_step
from edgekd.pipeline.road import TOLERATED, plan_teacher
from edgekd.pipeline.rungs import RungJudge
from edgekd.sizing.budget import Cost, Guess
from edgekd.sizing.front import Point
from edgekd.stats.interval import Interval
from edgekd.units import MIB


def measure_finalists(
    context: Context, data: TaskData, teacher: Step, target: Target, judge: RungJudge, points: Sequence[Point]
) -> dict[str, Point | None]:
    """Return points with what was measured of them, by the shape's name; None of one that was not built.

    The drop gets what compiling changes of it: the answers of the compiled rung against those of the rung
    itself, on validation rows.
    """
    compiled = {
        point.shape.name: _compile_step(context, teacher, judge.rungs[point.quality.student], point, target)
        for point in points
    }
    failed = Processes(context.engine).run_all(compiled.values(), TOLERATED)
    artifacts = {
        name: open_built(context.engine.make(step).path)
        for name, step in compiled.items()
        if step not in failed
    }
    for name, step in compiled.items():
        if step in failed:
            context.note(f"size: {name}: not built: {failed[step]}")
    found: dict[str, Point | None] = dict.fromkeys(compiled)
    reference = plan_teacher(context, teacher, target)
    for threads in sorted({point.shape.threads for point in points}):
        group = [p for p in points if p.shape.threads == threads and p.shape.name in artifacts]
        if group:
            own = [artifacts[point.shape.name] for point in group]
            bench = bench_artifacts(context, teacher, reference, own, threads)
            for point, artifact in zip(group, own, strict=True):
                found[point.shape.name] = _as_measured(context, data, judge, point, (artifact, bench))
    return found


def _compile_step(context: Context, teacher: Step, source: Step, point: Point, target: Target) -> Step:
    name = point.shape.model.name
    trained = Trained(name, source, teacher, export_step(context, source, name))
    return compile_step(context, trained, point.shape.build, target.hardware)


def _as_measured(
    context: Context, data: TaskData, judge: RungJudge, point: Point, measured: tuple[Artifact, Bench]
) -> Point:
    artifact, bench = measured
    student = point.quality.student
    rows = data.split("validation")
    served = judge.values_of(artifact_answers(context, rows, artifact, "validate"))
    taught = judge.values(judge.answer_step(student, judge.rungs[student]))
    more = 100 * float((taught - served).mean())
    drop = point.quality.drop
    quality = replace(point.quality, drop=Guess(drop.value + more, drop.low + more, drop.high + more))
    return replace(point, cost=_read_cost(bench, artifact, point.cost), quality=quality, measured=True)


def _read_cost(bench: Bench, artifact: Artifact, predicted: Cost) -> Cost:
    """Return what was measured; a figure that could not be told stays as predicted."""
    result, name = bench.result, bench.names[artifact.digest]
    rss, size = result.peak_rss_bytes(name) / MIB, artifact.size_bytes / MIB
    return Cost(
        p50_ms=_guess(in_ms(result.percentile(name, 0.5)), predicted.p50_ms),
        p95_ms=_guess(in_ms(result.percentile(name, 0.95)), predicted.p95_ms),
        cold_start_ms=_guess(result.cold_start_ms(name), predicted.cold_start_ms),
        peak_rss_mib=Guess(rss, rss, rss),
        artifact_mib=Guess(size, size, size),
    )


def _guess(found: Interval | None, predicted: Guess) -> Guess:
    return predicted if found is None else Guess(found.estimate, found.low, found.high)
