"""The stage that decides: a bias per class, thresholds and carve-outs, all found on validation rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekd.compile import Artifact, open_artifact
from edgekd.compile.policy import set_policy
from edgekd.config import Slice, Target
from edgekd.config.routing import Routing
from edgekd.data.slices import select_traffic, slice_masks
from edgekd.data.taskdata import TaskData
from edgekd.errors import ConfigError, unknown_name
from edgekd.evaluate.arrays import Flags
from edgekd.evaluate.bias import BiasFit
from edgekd.evaluate.route_rows import Rows
from edgekd.evaluate.route_tuning import tune_policy
from edgekd.evaluate.routing import Routed, judge_routing, route_rows
from edgekd.evaluate.scorer import JudgedRows
from edgekd.gate.carving import choose_carved
from edgekd.impact.fallback import Routed as Prices
from edgekd.impact.saving import cost_reduction
from edgekd.pipeline.answering import artifact_answers
from edgekd.pipeline.biasing import VERSION as FIT
from edgekd.pipeline.biasing import (
    describe_fit,
    fit_rows,
    limited_slices,
    read_fit,
    teacher_answers,
    write_fit,
)
from edgekd.pipeline.compiling import Variant
from edgekd.pipeline.context import Context
from edgekd.pipeline.holding import find_holder, serve_rows
from edgekd.pipeline.staging import run_stage
from edgekd.progress import Progress
from edgekd.serving.calibrate import read_calibration, spread_bias
from edgekd.stats.interval import Interval
from edgekd.store import Stage, write_atomic


def check_routing(context: Context, data: TaskData) -> None:
    """Refuse a routing that names classes or slices that are not there."""
    routing = context.project.routing
    if routing is None:
        return
    named = {
        "refuse_as": (routing.refuse_as,) if routing.refuse_as else (),
        "critical": routing.critical,
        "rules": tuple(rule.label for rule in routing.rules),
    }
    for key, names in named.items():
        if missing := [name for name in names if name not in data.labels]:
            raise ConfigError(f"routing.{key}: {unknown_name('class', missing[0], data.labels)}")
    slices = [entry.name for entry in context.project.slices]
    for key, names in (
        ("slices", routing.slices),
        ("risky", routing.risky),
        ("carve_out", routing.carve_out),
    ):
        if missing := [name for name in names if name not in slices]:
            raise ConfigError(f"routing.{key}: {unknown_name('slice', missing[0], slices)}")


def decide_stage(
    context: Context,
    data: TaskData,
    teacher: Stage,
    variant: Variant,
    target: Target,
    incumbent: Artifact | None = None,
) -> Variant:
    """Give a variant the bias that keeps its floors, and the policy that calls the teacher least.

    Both are found on validation rows; the policy holds the quality there with the bias at work. Slices that
    may be carved out and that the policy's answers to these rows do not prove go to the teacher, too, or stay
    with the incumbent where a project says so. No test row is read.
    """
    routing, artifact = context.project.routing, variant.artifact
    floors = limited_slices(context.project)
    if artifact is None or (routing is None and not floors):
        return variant
    rows = data.split("validation")
    taught = teacher_answers(context, data, teacher, "validation").labels
    answers = artifact_answers(context, rows, artifact, "validate")
    temperature = read_calibration(artifact.path / "calibration.json").temperature
    stays = routing is not None and routing.carve_to == "incumbent"
    holder = find_holder(context, target, incumbent) if stays else None
    reads = {
        "holder": None if holder is None else holder.digest,
        "artifact": artifact.digest,
        "teacher": teacher.digest,
        "rows": rows.digest,
        "routing": _of_policy(routing) if routing else None,
        "slices": [entry.model_dump(mode="json") for entry in context.project.slices],
        "sample": context.project.data.sample,
        "bias": FIT,
    }

    def build(folder: Path, progress: Progress) -> None:
        slices = context.project.slices
        fit = fit_rows(context, rows, answers.logits / temperature) if floors else BiasFit()
        write_fit(folder, fit)
        policy: dict[str, Any] = {}
        if routing is not None:
            masks, bias = slice_masks(rows, slices), spread_bias(fit.bias, rows.labels)
            traffic = select_traffic(rows, context.project.data.sample)
            known = Rows(answers.probabilities(temperature), taught, rows.classes, rows.labels, bias, traffic)
            policy = tune_policy(known, routing, slices, masks)
            held = None
            if holder is not None:
                held = holder.digest, serve_rows(context, target, rows, holder, taught, "validate")
            policy = carve_policy(policy, known, rows.texts, routing, slices, masks, traffic, held)
            write_atomic(folder / "logs" / "routing.json", json.dumps(policy, indent=1))
        set_policy(artifact, policy, folder / "artifact", fit.bias)

    stage = run_stage(context, f"decide/{variant.name}", 4, reads, build)
    fit = read_fit(stage.path)
    for line in describe_fit(variant.name, fit):
        context.note(line)
    return replace(variant, artifact=open_artifact(stage.path / "artifact"), bias=fit if floors else None)


def carve_policy(
    policy: Mapping[str, Any],
    rows: Rows,
    texts: Sequence[str],
    routing: Routing,
    slices: Sequence[Slice],
    masks: Mapping[str, Flags],
    traffic: Flags | None = None,
    held: tuple[str, Routed] | None = None,
) -> dict[str, Any]:
    """Return the policy with carve-outs, chosen by judging what it answers to validation rows.

    `traffic` marks the rows that came as traffic comes, on which precision and false alarms are counted.
    `held` is the digest of the version that may keep slices, and what it serves: it keeps those of the
    carved slices that these rows prove for it, and the teacher gets the others.
    """
    taught, labels = rows.taught, rows.labels
    routed = route_rows(policy, labels, texts, rows.probabilities, taught, masks, rows.bias)
    split = JudgedRows(rows.truth, labels, slices, masks, traffic)
    judged = judge_routing("", policy, routed, taught, split)
    carved = choose_carved([entry.quality for entry in judged.slices], routing.carve_out)
    if not carved:
        return dict(policy)
    leaving, found = carved, dict(policy)
    if held is not None:
        digest, served = held
        judged = judge_routing("", {}, served, taught, split)
        leaving = choose_carved([entry.quality for entry in judged.slices], carved)
        if staying := [name for name in carved if name not in leaving]:
            found["incumbent"] = {"artifact": digest, "slices": staying}
    if leaving:
        found["slices"] = {**policy.get("slices", {}), **dict.fromkeys(leaving, 1.0)}
    return found


def find_saving(routing: Routing, fallback: Interval, student_per_1k: float) -> Interval:
    """Return the share of the teacher's cost that is saved, over the interval of the fallback rate."""
    prices = Prices(routing.teacher_per_1k, student_per_1k, routing.billing)
    saved = [
        cost_reduction(routing.teacher_per_1k, prices.per_1k(rate))
        for rate in (fallback.estimate, fallback.high, fallback.low)
    ]
    return Interval(saved[0], saved[1], saved[2], fallback.confidence)


def _of_policy(routing: Routing) -> dict[str, object]:
    """What decides the policy; prices do not."""
    return routing.model_dump(mode="json", exclude={"teacher_per_1k", "billing"})
