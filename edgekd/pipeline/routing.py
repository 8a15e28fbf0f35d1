"""The stage that decides: a bias per class, thresholds and carve-outs, all found on validation rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekd.compile import Artifact, open_artifact
from edgekd.compile.artifact import read_fitted
from edgekd.compile.policy import set_policy
from edgekd.config import Slice, Target
from edgekd.config.routing import Routing
from edgekd.data.slices import select_traffic, slice_masks
from edgekd.data.taskdata import TaskData
from edgekd.engines.step import Folder, Inputs, Part, Settings, Step
from edgekd.errors import ConfigError, unknown_name
from edgekd.evaluate.arrays import Flags
from edgekd.evaluate.classify.bias import BiasFit
from edgekd.evaluate.classify.route_rows import TuningRows
from edgekd.evaluate.classify.route_tuning import tune_policy
from edgekd.evaluate.classify.routing import Routed, judge_routing, route_rows
from edgekd.evaluate.scorer import JudgedRows
from edgekd.gate.carving import choose_carved
from edgekd.impact.fallback import Prices
from edgekd.impact.saving import cost_reduction
from edgekd.pipeline.answering import answer_step, artifact_step, read_served, reference_step
from edgekd.pipeline.biasing import VERSION as FIT
from edgekd.pipeline.biasing import bias_step, fit_rows, limited_slices, read_teacher, write_fit
from edgekd.pipeline.compiling import artifact_of, model_of, place_artifact, write_artifact_parts
from edgekd.pipeline.context import Context
from edgekd.pipeline.holding import Holder, find_holder, list_holders, serve
from edgekd.pipeline.opening import TEACHER, open_rows
from edgekd.progress import Progress
from edgekd.serving.calibrate import spread_bias
from edgekd.stats.interval import Interval
from edgekd.store import write_atomic

_PRICES = {"teacher_per_1k", "billing"}  # decide no policy


def check_routing(context: Context, data: TaskData) -> None:
    """Refuse a routing that names classes or slices that are not there."""
    routing = context.project.routing
    if routing is None:
        return
    if not context.task.scorer.is_softened:
        raise ConfigError(
            f"routing: thresholds are of probabilities of labels, and task {context.task.name} has none; "
            "remove routing"
        )
    named = {
        "refuse_as": (routing.refuse_as,) if routing.refuse_as else (),
        "critical": routing.critical,
        "rules": tuple(rule.label for rule in routing.rules),
        "low_value": routing.low_value,
        **{f"families.{name}": family.labels for name, family in routing.families.items()},
    }
    for key, names in named.items():
        if missing := [name for name in names if name not in data.outputs]:
            raise ConfigError(f"routing.{key}: {unknown_name('class', missing[0], data.outputs)}")
    slices = [entry.name for entry in context.project.slices]
    for key, names in (
        ("slices", routing.slices),
        ("risky", routing.risky),
        ("carve_out", routing.carve_out),
        ("thresholds", tuple(routing.thresholds)),
    ):
        if missing := [name for name in names if name not in slices]:
            raise ConfigError(f"routing.{key}: {unknown_name('slice', missing[0], slices)}")


def decide_step(
    context: Context, teacher: Step, name: str, compiled: Step, holders: Sequence[Artifact] = ()
) -> Step | None:
    """Give a variant the bias that keeps its floors, and the policy that calls the teacher least.

    Both are found on validation rows; the policy holds the quality there with the bias at work. Slices that
    may be carved out and that the policy's answers to these rows do not prove go to the teacher, too, or stay
    with the first of `holders`, the others of which keep slices of the one before. No test row is read.

    None where the project asks for neither; the variant is as it is compiled then.
    """
    routing, slices = context.project.routing, context.project.slices
    if routing is None and not limited_slices(slices):
        return None
    inputs: dict[str, Step | Part | Folder] = {
        "artifact": artifact_of(compiled),
        "answers": answer_step(context, name, model_of(compiled), "validate"),
        "taught": reference_step(context, teacher, TEACHER, "validation"),
        "rows": context.data.part("validation"),
    }
    if (bias := bias_step(context, teacher)) is not None:
        inputs["bias"] = bias
    for number, holder in enumerate(holders):
        inputs[f"holder {number}"] = Folder(holder.path, holder.digest)
        inputs[f"answers {number}"] = artifact_step(context, holder, "validate")
    return Step(
        f"decide/{name}",
        6,
        "edgekd.pipeline.routing:build_decided",
        settings={
            "routing": routing.model_dump(mode="json", exclude=_PRICES) if routing else None,
            "slices": [entry.model_dump(mode="json") for entry in slices],
            "sample": context.project.data.sample,
        },
        inputs=inputs,
        reads={"bias": FIT},
        how={
            "holders": len(holders),
            "prices": routing.model_dump(mode="json", include=_PRICES) if routing else None,
        },
    )


def find_policy_holders(context: Context, target: Target, incumbent: Artifact | None) -> list[Artifact]:
    """List the versions that may keep slices of a new one, where the project says so: see `decide_step`."""
    routing = context.project.routing
    if routing is None or routing.carve_to != "incumbent":
        return []
    holder = find_holder(context, target, incumbent)
    return [] if holder is None else [holder, *list_holders(context, target, holder)]


def build_decided(folder: Path, settings: Settings, inputs: Inputs, progress: Progress) -> None:
    """Write the artifact with its bias and policy, and what was found of both."""
    rows = open_rows(inputs["rows"].path).split("validation")
    slices = [Slice.model_validate(entry) for entry in settings["slices"]]
    artifact = open_artifact(inputs["artifact"].path)
    answers = read_served(artifact.path, artifact.digest, inputs["answers"].path, rows)
    temperature = read_fitted(artifact.path).temperature
    limited, fit = limited_slices(slices), BiasFit()
    if limited:
        fit = fit_rows(rows, answers.outputs / temperature, limited, settings["sample"])
    write_fit(folder, fit)
    policy: dict[str, Any] = {}
    if settings["routing"] is not None:
        routing = Routing.model_validate({**settings["routing"], **settings["prices"]})
        masks, bias = slice_masks(rows, slices), spread_bias(fit.bias, rows.outputs)
        traffic = select_traffic(rows, settings["sample"])
        fitted = inputs["bias"].path if "bias" in inputs else None
        taught = read_teacher(inputs["taught"].path, fitted, rows).labels
        known = TuningRows(
            answers.probabilities(temperature), taught, rows.classes, rows.outputs, bias, traffic
        )
        policy = tune_policy(known, routing, slices, masks)
        held = None
        if settings["holders"]:
            versions = [_open_holder(inputs, number, rows) for number in range(settings["holders"])]
            held = inputs["holder 0"].digest, serve(rows, slices, taught, versions)
        policy = carve_policy(policy, known, rows.texts, routing, slices, masks, traffic, held)
        write_atomic(folder / "logs" / "routing.json", json.dumps(policy, indent=1))
    write_artifact_parts(folder, set_policy(artifact, policy, place_artifact(folder), fit.bias))


def _open_holder(inputs: Inputs, number: int, rows: TaskData) -> Holder:
    holder, answers = inputs[f"holder {number}"], inputs[f"answers {number}"]
    return Holder(holder.path, read_served(holder.path, holder.digest, answers.path, rows))


def carve_policy(
    policy: Mapping[str, Any],
    rows: TuningRows,
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
