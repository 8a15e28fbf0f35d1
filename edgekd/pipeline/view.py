"""Turn a run's results into what the report shows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from edgekd.config import Target
from edgekd.data.reader import Targets
from edgekd.data.slices import slice_masks
from edgekd.data.taskdata import TaskData
from edgekd.evaluate.judge import judge_slices
from edgekd.evaluate.predictions import Predictions
from edgekd.evaluate.scorer import JudgedRows
from edgekd.gate.next_step import find_next_step
from edgekd.measure.basis import find_basis
from edgekd.measure.environment import read_environment
from edgekd.pipeline.bench import TEACHER, TEACHER_ONNX, Bench
from edgekd.pipeline.class_view import (
    count_classes,
    describe_counting,
)
from edgekd.pipeline.context import Context
from edgekd.pipeline.judging import Judged
from edgekd.pipeline.opening import TEACHER as TEACHER_NAME
from edgekd.pipeline.slice_view import slice_rows
from edgekd.pipeline.variant_view import mark_front, variant_row
from edgekd.report import view
from edgekd.stats.interval import Interval
from edgekd.store import Stage

_SOFT = "kd_kl_t2"
_TERMS = {"hard_ce": "hard cross-entropy", _SOFT: "soft KL"}
"""Fields of the log that are parts of a loss; others stand under their own names in `terms`."""


@dataclass(frozen=True, eq=False)
class Shown:
    """What a report is made from.

    Attributes:
        teacher, students: what was trained.
        targets: all of the project's; those that could not be measured have no entry in `judged`.
        benches: by threads.
        taught: the teacher's answers to the test rows, as it would be served.
        baseline: a bag of words' answers to the test rows [row].
    """

    teacher: Stage
    students: Mapping[str, Stage]
    targets: tuple[Target, ...]
    judged: Mapping[str, Judged]
    benches: Mapping[int, Bench]
    taught: Predictions
    baseline: Targets


def build_report(context: Context, data: TaskData, shown: Shown, command: str) -> view.RunReport:
    """Gather everything that a run has to show; `command` is the one that made it."""
    test = data.split("test")
    scorer = context.task.scorer
    overall = [entry for entry in context.project.slices if entry.name == "overall"]
    rows = JudgedRows(test.targets, test.outputs, overall, slice_masks(test, overall))
    judged = scorer.select(rows)[0]
    taught = judge_slices([judged], scorer.serve(shown.taught), {}, rows)[0].value
    assert taught is not None, "a run without a row in overall is refused"
    simple = {
        name: float(judged.values(served, rows.truth).mean())
        for name, served in {"linear bag of words": shown.baseline, **scorer.baselines(rows)}.items()
    }
    source = context.project.data.source
    train = count_classes(data.split("train")) if scorer.is_softened else {}
    bench = next(iter(shown.benches.values()), None)
    models = {TEACHER_NAME: shown.teacher, **shown.students}
    return view.RunReport(
        project=context.project.name,
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command,
        environment=_environment(bench),
        data=view.DataNote(
            rows=tuple(data.counts().items()),
            source=source if isinstance(source, str) else ", ".join(source.values()),
            digest=data.digest,
            baseline=tuple((f"{name} (test, overall)", value) for name, value in simple.items()),
            counted=describe_counting(context.project.data.sample, test) if scorer.is_softened else "",
        ),
        teacher=_teacher(context, shown.teacher, bench, taught),
        targets=tuple(
            _target(target, shown.judged.get(target.name), shown.benches, train) for target in shown.targets
        ),
        curves=tuple(_curve(name, stage.path) for name, stage in models.items()),
    )


def _environment(bench: Bench | None) -> str:
    here = bench.result.environment if bench else read_environment(1)
    libraries = ", ".join(f"{name} {version}" for name, version in here.libraries)
    flags = f"; noise: {'; '.join(bench.result.flags)}" if bench and bench.result.flags else ""
    return f"{here.cpu}, {here.cores} cores, {here.kernel}, {here.python}, {libraries}{flags}"


def _teacher(context: Context, stage: Stage, bench: Bench | None, quality: Interval) -> view.TeacherNote:
    weights = stage.path / "model.safetensors"
    with weights.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    shapes = [entry["shape"] for name, entry in header.items() if name != "__metadata__"]
    return view.TeacherNote(
        name=context.teacher.name,
        parameters=int(sum(np.prod(shape) for shape in shapes)),
        quality=quality,
        metric=context.task.words.quality,
        weights_bytes=weights.stat().st_size,
        p50_ms=bench.teacher_ms(TEACHER, 0.5) if bench else None,
        p95_ms=bench.teacher_ms(TEACHER, 0.95) if bench else None,
        onnx_p95_ms=bench.teacher_ms(TEACHER_ONNX, 0.95) if bench else None,
    )


def _target(
    target: Target, judged: Judged | None, benches: Mapping[int, Bench], train: dict[str, int]
) -> view.TargetReport:
    if judged is None:
        basis, reason = find_basis(target.hardware, read_environment(target.threads))
        return view.TargetReport(
            name=target.name,
            description=target.description,
            status="not measured",
            reason=f"{reason}; where there is one: edgekd run PROJECT --target {target.name}",
            objective=target.objective,
            basis=basis,
        )
    bench, verdict = benches[target.threads], judged.verdict
    status: view.TargetStatus = "not promoted"
    if verdict.promoted is not None:
        status = "promoted" if verdict.basis == "native" else "promoted (proxy latency)"
    rows = [
        variant_row(evidence, found, bench, target, train)
        for evidence, found in zip(judged.evidence, verdict.variants, strict=True)
    ]
    return view.TargetReport(
        name=target.name,
        description=target.description,
        status=status,
        reason=verdict.reason,
        objective=target.objective,
        basis=verdict.basis,
        basis_reason=judged.evidence[0].basis_reason,
        promoted=verdict.promoted,
        tie_with=", ".join(verdict.tie_with) or None,
        p95_limit_ms=target.limits.p95_ms,
        variants=tuple(mark_front(row, rows) for row in rows),
        slices=slice_rows(judged),
        next_step=find_next_step(verdict, judged.evidence, judged.order),
    )


def _curve(student: str, folder: Path) -> view.Curve:
    log = folder / "logs" / "train.jsonl"
    if not log.is_file():
        return view.Curve(student, ())
    events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    epochs = {e["epoch"]: e for e in events if e["event"] == "kd_epoch_summary"}
    points = []
    for epoch, summary in sorted(epochs.items()):
        steps = [e for e in events if e["event"] == "kd_train_step" and e["epoch"] == epoch]
        losses, quality = (summary["train_loss"], summary["val_loss"]), summary.get("val_accuracy")
        points.append(view.EpochPoint(epoch, *losses, quality, _terms(steps, student == TEACHER_NAME)))
    return view.Curve(student, tuple(points))


def _terms(steps: Sequence[Mapping[str, Any]], is_teacher: bool) -> tuple[tuple[str, float], ...]:
    """Return the mean of each part of the loss over an epoch's steps; a teacher has none to learn from."""
    named = [{**{key: step[key] for key in _TERMS if key in step}, **step.get("terms", {})} for step in steps]
    keys = dict.fromkeys(key for step in named for key in step if not (is_teacher and key == _SOFT))
    return tuple((_TERMS.get(key, key), float(np.mean([step[key] for step in named]))) for key in keys)
