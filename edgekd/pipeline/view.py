"""Turn a run's results into what the report shows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgekd.config import Target
from edgekd.data.slices import slice_masks
from edgekd.data.taskdata import TaskData
from edgekd.evaluate.predictions import Predictions
from edgekd.evaluate.result import Drop, EvalResult, SliceResult, worst_drop
from edgekd.gate.check import Status
from edgekd.gate.checks import check_slices
from edgekd.gate.evidence import VariantEvidence
from edgekd.gate.verdict import VariantVerdict
from edgekd.impact.price import cost_per_1000_usd
from edgekd.measure.basis import find_basis
from edgekd.measure.environment import read_environment
from edgekd.pipeline.bench import TEACHER, TEACHER_ONNX, Bench, in_ms
from edgekd.pipeline.context import Context
from edgekd.pipeline.judging import Judged
from edgekd.report import view
from edgekd.stats.interval import Interval
from edgekd.stats.proportion import wilson_interval
from edgekd.store import Stage


def build_report(
    context: Context,
    data: TaskData,
    teacher: Stage,
    students: Mapping[str, Stage],
    targets: tuple[Target, ...],
    judged: Mapping[str, Judged],
    benches: Mapping[int, Bench],
    answers: Predictions,
    baseline: npt.NDArray[np.int64],
    command: str,
) -> view.RunReport:
    """Gather everything that a run has to show; `answers` are the teacher's on the test split."""
    test = data.split("test")
    overall = slice_masks(test, context.project.slices)["overall"]
    hits = (answers.labels == test.classes)[overall]
    simple = float((baseline == test.classes)[overall].mean())
    source = context.project.data.source
    bench = next(iter(benches.values()), None)
    return view.RunReport(
        project=context.project.name,
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command,
        environment=_environment(bench),
        data=view.DataNote(
            rows=tuple(data.counts().items()),
            source=source if isinstance(source, str) else ", ".join(source.values()),
            digest=data.digest,
            baseline=(("linear bag of words (test, overall)", simple),),
        ),
        teacher=_teacher(context, teacher, bench, wilson_interval(int(hits.sum()), len(hits))),
        targets=tuple(_target(target, judged.get(target.name), benches) for target in targets),
        curves=tuple(_curve(name, stage.path) for name, stage in {"teacher": teacher, **students}.items()),
    )


def _environment(bench: Bench | None) -> str:
    here = bench.result.environment if bench else read_environment(1)
    libraries = ", ".join(f"{name} {version}" for name, version in here.libraries)
    flags = f"; noise: {'; '.join(bench.result.flags)}" if bench and bench.result.flags else ""
    return f"{here.cpu}, {here.cores} cores, {here.kernel}, {here.python}, {libraries}{flags}"


def _teacher(context: Context, stage: Stage, bench: Bench | None, accuracy: Interval) -> view.TeacherNote:
    weights = stage.path / "model.safetensors"
    with weights.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    shapes = [entry["shape"] for name, entry in header.items() if name != "__metadata__"]
    return view.TeacherNote(
        name=context.teacher.name,
        parameters=int(sum(np.prod(shape) for shape in shapes)),
        accuracy=accuracy,
        weights_bytes=weights.stat().st_size,
        p50_ms=in_ms(bench.result.percentile(TEACHER, 0.5)) if bench else None,
        p95_ms=in_ms(bench.result.percentile(TEACHER, 0.95)) if bench else None,
        onnx_p95_ms=in_ms(bench.result.percentile(TEACHER_ONNX, 0.95)) if bench else None,
    )


def _target(target: Target, judged: Judged | None, benches: Mapping[int, Bench]) -> view.TargetReport:
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
        _variant(evidence, found, bench, target)
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
        variants=tuple(_on_front(row, rows) for row in rows),
        slices=_slices(judged),
    )


def _variant(
    evidence: VariantEvidence, verdict: VariantVerdict, bench: Bench, target: Target
) -> view.VariantRow:
    checks = tuple(
        view.CheckRow(check.name, check.status, check.found, check.limit, check.reason)
        for check in verdict.checks
    )
    status: view.VariantStatus = "inconclusive"
    if verdict.status != "not measured" and verdict.status != "warning":
        status = verdict.status
    if evidence.evaluation is None:
        return view.VariantRow(
            name=evidence.variant,
            student=evidence.student,
            runtime=evidence.runtime,
            recipe=evidence.recipe,
            status="not built",
            checks=checks,
        )
    overall = next(entry for entry in evidence.judged if entry.name == "overall")
    drop, worst = overall.drop_from("teacher"), worst_drop(evidence.judged, "teacher")
    name = bench.names[evidence.artifact_digest]
    return view.VariantRow(
        name=evidence.variant,
        student=evidence.student,
        runtime=evidence.runtime,
        recipe=evidence.recipe,
        status=status,
        p50_ms=evidence.p50_ms,
        p95_ms=evidence.p95_ms,
        cold_start_ms=evidence.cold_start_ms.estimate if evidence.cold_start_ms else None,
        peak_rss_bytes=evidence.peak_rss_bytes,
        artifact_bytes=evidence.artifact_bytes,
        cost_per_1000_usd=_cost(bench, name, target),
        quality=overall.value,
        overall_drop=view.DropBound(drop.estimate, drop.high, drop.confidence) if drop else None,
        worst_slice=worst[0].name if worst else "",
        worst_slice_drop=worst[1].estimate if worst else None,
        speedup_vs_teacher=_inverse(bench.result.ratio(name, TEACHER, 0.95)),
        speedup_vs_teacher_onnx=_inverse(bench.result.ratio(name, TEACHER_ONNX, 0.95)),
        routing=_routing(evidence),
        policy=json.dumps(evidence.routing.policy) if evidence.routing else "",
        reliability=_reliability(evidence.evaluation),
        checks=checks,
    )


def _routing(evidence: VariantEvidence) -> tuple[view.RoutedRow, ...]:
    found = evidence.routing.slices if evidence.routing else ()
    return tuple(
        view.RoutedRow(
            entry.quality.name, entry.quality.n, entry.quality.value, entry.fallback, entry.refused
        )
        for entry in found
        if entry.quality.value and entry.fallback and entry.refused
    )


def _reliability(result: EvalResult) -> tuple[view.ReliabilityRow, ...]:
    return tuple(
        view.ReliabilityRow(
            found.name,
            found.n,
            found.ece,
            found.ece_if_calibrated,
            tuple((one.probability, wilson_interval(one.right, one.n)) for one in found.bins),
        )
        for found in result.reliability
    )


def _cost(bench: Bench, name: str, target: Target) -> float | None:
    if target.price is None:
        return None
    calls = np.concatenate([samples.ns for samples in bench.result.samples(name)]) / 1e6
    return cost_per_1000_usd(calls, target.price, target.hardware)


def _inverse(ratio: Interval | None) -> Interval | None:
    if ratio is None:
        return None
    return Interval(1 / ratio.estimate, 1 / ratio.high, 1 / ratio.low, ratio.confidence)


def _on_front(row: view.VariantRow, rows: list[view.VariantRow]) -> view.VariantRow:
    """Mark a variant that no other beats in both latency and quality."""
    if row.p95_ms is None or row.quality is None:
        return row
    latency, quality = row.p95_ms.estimate, row.quality.estimate
    beaten = any(
        other.p95_ms is not None
        and other.quality is not None
        and other.p95_ms.estimate <= latency
        and other.quality.estimate >= quality
        and (other.p95_ms.estimate, other.quality.estimate) != (latency, quality)
        for other in rows
    )
    return row if beaten else view.VariantRow(**{**row.__dict__, "on_front": True})


def _slices(judged: Judged) -> tuple[view.SliceRow, ...]:
    scored = [e for e in judged.evidence if e.evaluation is not None]
    if not scored or scored[0].evaluation is None:
        return ()
    rows = []
    checks = [check_slices(entry.judged) for entry in scored]
    for place, first in enumerate(scored[0].judged):
        values = []
        for evidence, found_there in zip(scored, checks, strict=True):
            status = _worst([check.status for check in found_there if check.slice == first.name])
            found = _slice_value(evidence.variant, evidence.judged[place], status)
            if found is not None:
                values.append(found)
        rows.append(
            view.SliceRow(
                name=first.name,
                tier=first.tier,
                metric=first.metric,
                n=first.n,
                margin=first.margin,
                at_least=first.at_least,
                at_most=first.at_most,
                sampling=first.sampling,
                teacher=_teacher_value(first),
                variants=tuple(values),
            )
        )
    return tuple(rows)


def _teacher_value(result: SliceResult) -> Interval | None:
    """Work the teacher's value out of a variant's: its hits plus what was lost, less what was gained."""
    drop = result.drop_from("teacher")
    if result.tally is None or drop is None:
        return None
    right = round(result.tally.right) + drop.lost - drop.gained
    return wilson_interval(result.n - right if result.metric == "false_alarm" else right, result.n)


def _worst(statuses: Sequence[Status]) -> Status:
    """Return the status of a slice that has several checks; a warning counts more than a pass."""
    order: tuple[Status, ...] = ("fail", "inconclusive", "not measured", "warning")
    return next((status for status in order if status in statuses), "pass")


def _slice_value(variant: str, result: SliceResult, status: Status) -> view.SliceValue | None:
    drop, compiled = result.drop_from("teacher"), result.drop_from("fp32")
    if result.value is None:
        return None
    return view.SliceValue(
        variant=variant,
        value=result.value,
        drop_vs_teacher=_interval(drop) if drop else None,
        drop_vs_fp32=_interval(compiled) if compiled else None,
        status=status,
    )


def _interval(drop: Drop) -> Interval:
    """Two one-sided bounds at 95 % are the ends of a two-sided interval at 90 %."""
    return Interval(drop.estimate, drop.low, drop.high, 2 * drop.confidence - 1)


def _curve(student: str, folder: Path) -> view.Curve:
    log = folder / "logs" / "train.jsonl"
    if not log.is_file():
        return view.Curve(student, ())
    events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    epochs = {e["epoch"]: e for e in events if e["event"] == "kd_epoch_summary"}
    points = []
    for epoch, summary in sorted(epochs.items()):
        steps = [e for e in events if e["event"] == "kd_train_step" and e["epoch"] == epoch]
        hard = float(np.mean([s["hard_ce"] for s in steps])) if steps else None
        soft = float(np.mean([s["kd_kl_t2"] for s in steps])) if steps and student != "teacher" else None
        points.append(
            view.EpochPoint(
                epoch, summary["train_loss"], summary["val_loss"], summary["val_accuracy"], hard, soft
            )
        )
    return view.Curve(student, tuple(points))
