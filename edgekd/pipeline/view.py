"""Turn a run's results into what the report shows."""

from __future__ import annotations

import json
from collections.abc import Mapping
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
from edgekd.pipeline.scaling import scale_target
from edgekd.pipeline.sized import find_fronts
from edgekd.pipeline.slice_view import slice_rows
from edgekd.pipeline.variant_view import mark_front, variant_row
from edgekd.report.teacher import TeacherNote, TeacherTimes, print_threads
from edgekd.report.view import Curve, DataNote, EpochPoint, RunReport, TargetReport, TargetStatus
from edgekd.stats.interval import Interval
from edgekd.store import Stage

_SOFT = "kd_kl_t2"
_TERMS = {
    "hard_ce": "hard cross-entropy",
    _SOFT: "soft KL",
    "feature_mse": "feature MSE",
    "attention_mse": "attention MSE",
}
"""Parts of a loss that an epoch's summary has a field for, `train_` before it; others stand by name in
`train_terms`."""


@dataclass(frozen=True, eq=False)
class Shown:
    """What a report is made from.

    Attributes:
        teacher, students: what was trained.
        targets: all of the project's; those that could not be measured have no entry in `judged`.
        benches: by threads.
        taught: the teacher's answers to the test rows, as it would be served.
        baseline: a bag of words' answers to the test rows [row]; None where words alone answer nothing.
    """

    teacher: Stage
    students: Mapping[str, Stage]
    targets: tuple[Target, ...]
    judged: Mapping[str, Judged]
    benches: Mapping[int, Bench]
    taught: Predictions
    baseline: Targets | None


def build_report(context: Context, data: TaskData, shown: Shown, command: str) -> RunReport:
    """Gather everything that a run has to show; `command` is the one that made it."""
    test = data.split("test")
    scorer = context.task.scorer
    overall = [entry for entry in context.project.slices if entry.name == "overall"]
    rows = JudgedRows(test.targets, test.outputs, overall, slice_masks(test, overall))
    judged = scorer.select(rows)[0]
    taught = judge_slices([judged], scorer.serve(shown.taught), {}, rows)[0].value
    assert taught is not None, "a run without a row in overall is refused"
    simple = {} if shown.baseline is None else {"linear bag of words": shown.baseline}
    simple |= scorer.baselines(rows)
    source = context.project.data.source
    train = count_classes(data.split("train")) if scorer.is_softened else {}
    models = {TEACHER_NAME: shown.teacher, **shown.students}
    return RunReport(
        project=context.project.name,
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command,
        environment=_environment(shown.benches),
        data=DataNote(
            rows=tuple(data.counts().items()),
            source=source if isinstance(source, str) else ", ".join(source.values()),
            digest=data.digest,
            baseline=tuple(
                (f"{name} (test, overall)", float(judged.values(answers, rows.truth).mean()))
                for name, answers in simple.items()
            ),
            counted=describe_counting(context.project.data.sample, test) if scorer.is_softened else "",
        ),
        teacher=_teacher(context, shown.teacher, shown.benches, taught),
        targets=tuple(
            scale_target(context, test, _target(target, shown.judged.get(target.name), shown.benches, train))
            for target in shown.targets
        ),
        curves=tuple(_curve(name, stage.path) for name, stage in models.items()),
        requests_per_day=context.project.traffic.requests_per_day if context.project.traffic else None,
        sizings=find_fronts(context, [target.name for target in shown.targets]),
    )


def _environment(benches: Mapping[int, Bench]) -> str:
    bench = next(iter(benches.values()), None)
    here = bench.result.environment if bench else read_environment(1)
    libraries = ", ".join(f"{name} {version}" for name, version in here.libraries)
    noise = ""
    for threads, one in benches.items():
        whose = f" with {print_threads(threads)}" if len(benches) > 1 else ""
        noise += f"; noise{whose}: {'; '.join(one.result.flags)}" if one.result.flags else ""
    return f"{here.cpu}, {here.cores} cores, {here.kernel}, {here.python}, {libraries}{noise}"


def _teacher(context: Context, stage: Stage, benches: Mapping[int, Bench], quality: Interval) -> TeacherNote:
    weights = stage.path / "model.safetensors"
    with weights.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    shapes = [entry["shape"] for name, entry in header.items() if name != "__metadata__"]
    return TeacherNote(
        name=context.teacher.name,
        parameters=int(sum(np.prod(shape) for shape in shapes)),
        quality=quality,
        metric=context.task.words.quality,
        weights_bytes=weights.stat().st_size,
        times=tuple(
            TeacherTimes(
                threads,
                bench.teacher_ms(TEACHER, 0.5),
                bench.teacher_ms(TEACHER, 0.95),
                bench.teacher_ms(TEACHER_ONNX, 0.95),
            )
            for threads, bench in benches.items()
        ),
    )


def _target(
    target: Target, judged: Judged | None, benches: Mapping[int, Bench], train: dict[str, int]
) -> TargetReport:
    if judged is None:
        basis, reason = find_basis(target.hardware, read_environment(target.threads))
        return TargetReport(
            name=target.name,
            description=target.description,
            status="not measured",
            reason=f"{reason}; where there is one: edgekd run PROJECT --target {target.name}",
            objective=target.objective,
            basis=basis,
            threads=target.threads,
        )
    bench, verdict = benches[target.threads], judged.verdict
    status: TargetStatus = "not promoted"
    if verdict.promoted is not None:
        status = "promoted" if verdict.basis == "native" else "promoted (proxy latency)"
    rows = [
        variant_row(evidence, found, bench, target, train)
        for evidence, found in zip(judged.evidence, verdict.variants, strict=True)
    ]
    return TargetReport(
        name=target.name,
        description=target.description,
        status=status,
        reason=verdict.reason,
        objective=target.objective,
        basis=verdict.basis,
        threads=target.threads,
        basis_reason=judged.evidence[0].basis_reason,
        promoted=verdict.promoted,
        tie_with=", ".join(verdict.tie_with) or None,
        p95_limit_ms=target.limits.p95_ms,
        variants=tuple(mark_front(row, rows) for row in rows),
        slices=slice_rows(judged),
        next_step=find_next_step(verdict, judged.evidence, judged.order),
    )


def _curve(student: str, folder: Path) -> Curve:
    log = folder / "logs" / "train.jsonl"
    if not log.is_file():
        return Curve(student, ())
    events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    epochs = {e["epoch"]: e for e in events if e["event"] == "kd_epoch_summary"}
    points = []
    for epoch, summary in sorted(epochs.items()):
        losses, quality = (summary["train_loss"], summary["val_loss"]), summary.get("val_accuracy")
        points.append(EpochPoint(epoch, *losses, quality, _terms(summary, student == TEACHER_NAME)))
    return Curve(student, tuple(points))


def _terms(summary: Mapping[str, Any], is_teacher: bool) -> tuple[tuple[str, float], ...]:
    """Return an epoch's own mean of each part of its loss; a teacher has none to learn from.

    Steps are no source: one in 20 is told of, and a row without a label counts 0 in them.
    """
    named = {key: summary[f"train_{key}"] for key in _TERMS if f"train_{key}" in summary}
    named |= summary.get("train_terms", {})
    return tuple(
        (_TERMS.get(key, key), float(value))
        for key, value in named.items()
        if not (is_teacher and key == _SOFT)
    )
