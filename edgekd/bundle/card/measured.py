"""Sections of the card that hold figures: what was measured, quality per slice, calibration."""

from __future__ import annotations

from edgekd.bundle.card.facts import Facts, Figure
from edgekd.bundle.card.lines import ABSENT, percent, table
from edgekd.bundle.deciding import describe_bias
from edgekd.evaluate.classify.calibration import CONFIDENT
from edgekd.evaluate.result import SliceResult
from edgekd.serving.calibrate import read_calibration
from edgekd.units import format_bytes, format_ms, format_points

_BASES = {
    "native": "on the target's own hardware",
    "proxy": "on a stand-in for the target's hardware",
    "emulated": "under emulation: answers only, no time and no memory",
}
_TIMES = {"p50_ms": "p50", "p95_ms": "p95", "cold_start_ms": "cold start"}


def describe_evidence(facts: Facts) -> str:
    """Say what the gate said and which figures it rests on."""
    if facts.verdict is None:
        return f"""\
Nothing was measured for this card: no verdict of a gate came with the artifact. What would measure it:

```sh
# quality on every slice, latency, memory, and the gate
edgekd run PROJECT --target {facts.target.name}
# latency and memory alone
edgekd bench ARTIFACT
```"""
    basis, why = facts.basis
    words = [f"**Fails the gate.** {facts.objection}"] if facts.objection else []
    words += [
        f"Gate{', before that' if facts.objection else ''}: **{facts.outcome}**"
        + (f" ({facts.reason})." if facts.reason else ".")
    ]
    if basis in _BASES:
        words.append(f"Measured {_BASES[basis]} ({basis}){f': {why}' if why else ''}.")
    else:
        words.append(f"Time and memory were not measured{f': {why}' if why else ''}.")
    words.append(
        "A time is of one text, tokenization included, in a fresh pinned process; brackets hold 95 % "
        "intervals over processes."
    )
    return f"{' '.join(words)}\n\n{table(['what', 'found', 'limit', 'status'], _rows(facts))}"


def _rows(facts: Facts) -> list[list[str]]:
    rows = []
    for name, shown in _TIMES.items():
        found, check = facts.figure(name), facts.checks.get(name)
        if found is None and check is None:
            continue
        text = _time(found) if found else str(check["found"] if check else "")
        rows.append([shown, text, *_judged(facts, name)])
    memory = facts.peak_rss_bytes
    if memory is not None or "peak_rss_mib" in facts.checks:
        shown = format_bytes(memory) if memory is not None else facts.checks["peak_rss_mib"]["found"]
        rows.append(["peak memory of the process", shown, *_judged(facts, "peak_rss_mib")])
    rows.append(
        ["size of the artifact", format_bytes(facts.artifact.size_bytes), *_judged(facts, "artifact_mib")]
    )
    if "bundle_unzipped_mib" in facts.checks:
        found_size = facts.checks["bundle_unzipped_mib"]["found"]
        rows.append(["size of the bundle", found_size, *_judged(facts, "bundle_unzipped_mib")])
    return rows


def _judged(facts: Facts, name: str) -> list[str]:
    check = facts.checks.get(name)
    return [check["limit"], check["status"]] if check else ["none", ABSENT]


def _time(found: Figure) -> str:
    return f"{format_ms(found.estimate)} [{format_ms(found.low)} to {format_ms(found.high)}]"


def describe_quality(facts: Facts) -> str:
    """Show every slice: how the teacher and this model do, the drop and its bounds, and what was asked."""
    if facts.verdict is None:
        return "Not measured."
    explained = (
        f"A drop is the teacher's {facts.words.hits} minus this model's over the same rows, in percentage "
        "points: positive is worse. Bounds are one-sided, each at 95 %. *Prove*: the upper bound must be "
        "within the margin. *Watch*: fails only if the lower bound is beyond it."
    )
    if facts.evaluation is None:
        names = [name for name in facts.checks if name.startswith("quality")]
        rows = [
            [
                name.removeprefix("quality "),
                *(facts.checks[name][key] for key in ("found", "limit", "status")),
            ]
            for name in names
        ]
        return f"{explained}\n\n{table(['slice', 'found', 'margin', 'status'], rows)}"
    own = "this model" if facts.routing is None else "this model with the teacher"
    heads = ["slice", "rows", "metric", "teacher", own, "drop [bounds]", "margin", "tier", "status"]
    heads += ["floor"] if _has_floors(facts) else []
    judged = table(heads, [_slice(facts, one) for one in facts.judged])
    if facts.routing is None:
        return f"{explained}\n\n{judged}"
    alone = table(
        ["slice", "rows", "metric", "the student alone", "its own drop [bounds]"],
        [[one.name, f"{one.n:,}", one.metric, _value(one), _drop(one)] for one in facts.evaluation.slices],
    )
    return f"""\
{explained} This model is judged as it is served: with its routing policy (below), by which the teacher
answers some of the messages.

{judged}

What the student says of every message by itself is neither what the gate judged nor what answers by default:

{alone}"""


def _slice(facts: Facts, result: SliceResult) -> list[str]:
    check = facts.checks.get(f"quality {result.name}")
    drop, value = result.drop_from("teacher"), result.value
    # Of false alarms the value is a share of wrong answers; a drop is always of right ones.
    sign = -1 if result.metric == "false_alarm" else 1
    asked = [check for name, check in facts.checks.items() if _is_floor(name) and _of(name) == result.name]
    floors = (
        ["; ".join(f"{check['limit']}: {check['status']}" for check in asked)] if _has_floors(facts) else []
    )
    return [
        result.name,
        f"{result.n:,}",
        result.metric,
        percent(value.estimate + sign * drop.estimate) if value and drop else ABSENT,
        _value(result),
        _drop(result),
        "" if result.margin is None else f"{100 * result.margin:.2f}",
        result.tier,
        check["status"] if check else ABSENT,
        *floors,
    ]


def _has_floors(facts: Facts) -> bool:
    return any(map(_is_floor, facts.checks))


def _is_floor(check: str) -> bool:
    """Whether a check asks for a least value: a number, or that of an answer that comes with the rows."""
    return check.startswith(("floor ", "above-"))


def _of(check: str) -> str:
    """Return the slice that a check is of."""
    return check.partition(" ")[2]


def _value(result: SliceResult) -> str:
    return percent(result.value.estimate) if result.value else ABSENT


def _drop(result: SliceResult) -> str:
    drop = result.drop_from("teacher")
    if drop is None:
        return ABSENT
    return f"{format_points(drop.estimate)} [{format_points(drop.low)} to {format_points(drop.high)}]"


def describe_calibration(facts: Facts) -> str:
    """Say how a probability comes about and what it is worth."""
    if not facts.artifact.head.labels:
        return "The score is what the model was trained to give; nothing was fitted to correct it."
    if facts.is_from_elsewhere:
        return (
            "A probability is the softmax of the logits as the model gives them. No labelled rows came with "
            "it, so no temperature was fitted, and nobody measured here whether its probabilities hold."
        )
    known = read_calibration(facts.artifact.path / "calibration.json")
    fitted = (
        f"A probability is the softmax of the logits divided by {known.temperature:g}, a temperature fitted "
        "on the compiled model's own answers to calibration rows."
    )
    if bias := describe_bias(known.bias):
        fitted = f"{fitted} {bias}"
    found = None if facts.evaluation is None else facts.evaluation.calibration
    if found is None:
        return f"{fitted} How well it is calibrated was not measured here."
    return (
        f"{fitted} On {found.n:,} test rows: expected calibration error {found.ece:.3f}, Brier score "
        f"{found.brier:.3f} (0 to 2), wrong with a probability of {CONFIDENT:g} or more: "
        f"{percent(found.confident_error_rate)}."
    )
