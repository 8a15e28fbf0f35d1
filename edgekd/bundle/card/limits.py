"""The section on limits: where it is weak, where its answers were checked, what nobody measured."""

from __future__ import annotations

from edgekd.bundle.card.facts import Facts
from edgekd.bundle.card.lines import bullets, percent
from edgekd.bundle.deciding import NOT_RUN, describe_policy
from edgekd.evaluate.result import Drop, SliceResult, worst_drop
from edgekd.plugins import load_plugin
from edgekd.units import format_points

_TIMES = {"p50_ms": "median latency", "p95_ms": "latency", "cold_start_ms": "cold start"}


def describe_limits(facts: Facts) -> str:
    """List the slices that are worst, instruction sets, and what was not measured."""
    lines = [*_policy(facts), *_weak_slices(facts), *_instruction_sets(facts), *_unmeasured(facts)]
    return bullets([*lines, *_general(facts)])


def _policy(facts: Facts) -> list[str]:
    """Say where a routing policy is not run by what is deployed."""
    name = facts.target.bundle
    if name is None or not facts.policy:
        return []
    said = describe_policy(name, getattr(load_plugin("bundles", name), "POLICY", NOT_RUN))
    return [said] if said else []


def _weak_slices(facts: Facts) -> list[str]:
    if facts.evaluation is None:
        return [
            "Quality per slice is not known here."
            if facts.verdict is None
            else "Slices: see the table above."
        ]
    valued = [
        (one, one.value.estimate)
        for one in facts.judged
        if one.value is not None and one.metric != "false_alarm"  # better when smaller
    ]
    lines = []
    if valued:
        worst, value = min(valued, key=lambda pair: pair[1])
        lines.append(f"Weakest slice: {worst.name}, {worst.metric} {percent(value)} over {worst.n:,} rows.")
    found = worst_drop(facts.judged, "teacher")
    if found is not None and found[1].estimate > 0:
        lines.append(f"Falls most against the teacher: {_drop(*found)}.")
    unproven = [
        f"{one.name} ({_bound(drop)})"
        for one in facts.judged
        if one.tier == "watch"
        and one.margin is not None
        and (drop := one.drop_from("teacher")) is not None
        and drop.high > one.margin
    ]
    if unproven:
        lines.append(
            "Watched, not proven: no harm is shown, and none beyond the margin is ruled out, on "
            f"{', '.join(unproven)}."
        )
    empty = [one.name for one in facts.judged if one.n == 0]
    if empty:
        lines.append(f"No test row is in: {', '.join(empty)}.")
    return lines


def _drop(one: SliceResult, drop: Drop) -> str:
    return f"{one.name}, {format_points(drop.estimate)} points over {one.n:,} rows ({_bound(drop)})"


def _bound(drop: Drop) -> str:
    return f"up to {format_points(drop.high)} points"


def _instruction_sets(facts: Facts) -> list[str]:
    lines = []
    for entry in facts.ported:
        found = entry.agreement
        shown = "not checked"
        if found is not None:
            bound = f"at least {percent(found.low)} by the lower 95 % bound"
            shown = f"{found.agreeing:,} of {found.n:,} the same ({entry.basis}), {bound}"
        if entry.proof is not None:
            shown = "proven from the weights that nothing saturates; not run there"
        lines.append(f"Answers on {entry.isa}: {shown}.")
    isas = ", ".join(facts.manifest["isas"])
    lines.append(f"The recipe is made to answer alike on: {isas}. Elsewhere its answers may be others.")
    return lines


def _unmeasured(facts: Facts) -> list[str]:
    if facts.verdict is None:
        return ["Latency, memory and quality: not measured here."]
    checked = {f"answers on {entry.isa}" for entry in facts.ported}
    missing = [what for what in facts.unchecked if what not in checked]
    lines = [f"Not checked by the gate: {', '.join(missing)}."] if missing else []
    if facts.evidence is None:
        return [
            *lines,
            "The evidence was not kept with the verdict: only what the gate's checks say is known here.",
        ]
    missing = [what for name, what in _TIMES.items() if facts.figure(name) is None]
    missing += ["memory"] if facts.peak_rss_bytes is None else []
    return [*lines, *([f"Not measured: {', '.join(missing)}."] if missing else [])]


def _general(facts: Facts) -> list[str]:
    lines = ["The figures above are of model and teacher together."] if facts.routing is not None else []
    lines += [
        f"What a text says after its first {facts.manifest['max_tokens']} tokens is not read.",
        f"It knows what its rows knew: {facts.words.unknown}",
    ]
    if facts.verdict is not None:
        lines.append(
            "Times are of one text at a time, in one process: load, batches, a server, a network add to them."
        )
    return lines
