"""Turn what was judged and measured of each variant into what the report shows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from edgekd.config import Target
from edgekd.evaluate.result import EvalResult, worst_drop
from edgekd.gate.evidence import VariantEvidence
from edgekd.gate.verdict import VariantVerdict
from edgekd.pipeline.bench import TEACHER, TEACHER_ONNX, Bench
from edgekd.pipeline.class_view import bias_note, class_rows, confusion_rows
from edgekd.report.bench import cost_usd
from edgekd.report.scenarios import name_mode
from edgekd.report.variants import (
    CheckRow,
    DropBound,
    FigureRow,
    ReliabilityRow,
    RoutedRow,
    VariantRow,
    VariantStatus,
)
from edgekd.stats.proportion import wilson_interval


def variant_row(
    evidence: VariantEvidence, verdict: VariantVerdict, bench: Bench, target: Target, train: dict[str, int]
) -> VariantRow:
    """Return one variant's row; `train` counts the training rows of each class."""
    checks = tuple(
        CheckRow(check.name, check.status, check.found, check.limit, check.reason) for check in verdict.checks
    )
    status: VariantStatus = "inconclusive"
    if verdict.status != "not measured" and verdict.status != "warning":
        status = verdict.status
    if evidence.evaluation is None:
        return VariantRow(
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
    many = bench.throughput(evidence.artifact_digest)
    return VariantRow(
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
        cost_per_1000_usd=cost_usd(bench.result, name, target),
        mode=name_mode(many.streams if many else 1),
        texts_per_second=many.rate if many else None,
        texts_per_second_one_by_one=many.latency_mode if many else None,
        quality=overall.value,
        overall_drop=DropBound(drop.estimate, drop.high, drop.confidence) if drop else None,
        worst_slice=worst[0].name if worst else "",
        worst_slice_drop=worst[1].estimate if worst else None,
        speedup_vs_teacher=bench.speedup(name, TEACHER),
        speedup_vs_teacher_onnx=bench.speedup(name, TEACHER_ONNX),
        routing=_routing(evidence),
        policy=json.dumps(evidence.routing.policy) if evidence.routing else "",
        reliability=_reliability(evidence.evaluation),
        figures=tuple(
            FigureRow(one.slice, one.name, one.n, tuple(one.values.items()), one.is_share)
            for one in evidence.evaluation.figures
        ),
        checks=checks,
        classes=class_rows(evidence, train),
        confusions=confusion_rows(evidence),
        bias=bias_note(evidence.bias),
    )


def _routing(evidence: VariantEvidence) -> tuple[RoutedRow, ...]:
    found = evidence.routing.slices if evidence.routing else ()
    return tuple(
        RoutedRow(entry.quality.name, entry.quality.n, entry.quality.value, entry.fallback, entry.refused)
        for entry in found
        if entry.quality.value and entry.fallback and entry.refused
    )


def _reliability(result: EvalResult) -> tuple[ReliabilityRow, ...]:
    return tuple(
        ReliabilityRow(
            found.name,
            found.n,
            found.ece,
            found.ece_if_calibrated,
            tuple((one.probability, wilson_interval(one.right, one.n)) for one in found.bins),
            found.brier,
            None
            if found.confident_error_rate is None
            else wilson_interval(round(found.confident_error_rate * found.n), found.n),
        )
        for found in result.reliability
    )


def mark_front(row: VariantRow, rows: Sequence[VariantRow]) -> VariantRow:
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
    return row if beaten else replace(row, on_front=True)
