"""The section on routing: which messages go to the teacher or are refused, and how many that was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from edgekd.bundle.card.facts import Facts
from edgekd.bundle.card.lines import bullets, percent
from edgekd.stats.interval import Interval

_MOST = 12  # rules that are listed


def describe_routing(facts: Facts) -> str:
    """Put the artifact's policy into words, in the order in which it decides."""
    policy = facts.policy
    if not policy:
        return "It has no policy: it answers every message by itself."
    lines = bullets([*_rules(policy), *_slices(policy), *_critical(policy), *_thresholds(policy)])
    shares = _shares(facts)
    return f"""\
What the gate judged is this model with its policy (`calibration.json`): a message is answered here, goes to
the teacher, or is refused. {_caller(policy)} Where a bundle does not run the policy, its limits say so.

{lines}

{f"{shares} " if shares else ""}`edgekd predict --student-only` answers without the policy: that is not what
was judged."""


def _caller(policy: Mapping[str, Any]) -> str:
    if not policy.get("slices") and not policy.get("incumbent"):
        return "Whoever calls it sends on what it does not answer."
    return "Whoever calls it names the slices that a message is in, and sends on what it does not answer."


def _rules(policy: Mapping[str, Any]) -> list[str]:
    rules = policy.get("rules", [])
    shown = "; ".join(f"`{rule['phrase']}`: `{rule['label']}`" for rule in rules[:_MOST])
    more = f"; and {len(rules) - _MOST} more" if len(rules) > _MOST else ""
    return [f"Phrases that decide, whatever the student says: {shown}{more}."] if rules else []


def _slices(policy: Mapping[str, Any]) -> list[str]:
    slices = policy.get("slices", {})
    always = [name for name, share in slices.items() if share >= 1]
    own = [f"{name} (below {share:.3g})" for name, share in slices.items() if share < 1]
    return [
        *([f"Always to the teacher: messages in {', '.join(always)}."] if always else []),
        *([f"Slices with a threshold of their own: {', '.join(own)}."] if own else []),
        *_kept(policy.get("incumbent")),
    ]


def _kept(held: Mapping[str, Any] | None) -> list[str]:
    if not held:
        return []
    return [
        f"Left with the version before, `{held['artifact'][:12]}`: messages in {', '.join(held['slices'])}."
    ]


def _critical(policy: Mapping[str, Any]) -> list[str]:
    labels = policy.get("critical", [])
    if not labels:
        return []
    sure = policy.get("critical_prob", policy.get("max_prob", 0.0))
    own = f", or where one of them is answered with less than {sure:.3g}" if sure else ""
    return [
        f"Critical labels, which are never refused: {_labels(labels)}. To the teacher where they together "
        f"have more than {policy.get('risk', 1.0):.3g} and another label is likeliest{own}."
    ]


def _thresholds(policy: Mapping[str, Any]) -> list[str]:
    lines = []
    if policy.get("refuse_below"):
        label = policy.get("refuse_as")
        words = f", with the label `{label}`" if label else ""
        of = f" and is one of {_labels(policy['refusable'])}" if policy.get("refusable") else ""
        lines.append(
            f"Refused where the likeliest label has less than {policy['refuse_below']:.3g}{of}{words}."
        )
    if policy.get("max_prob"):
        lines.append(f"To the teacher where the likeliest label has less than {policy['max_prob']:.3g}.")
    if policy.get("margin"):
        lines.append(
            f"To the teacher where the next label is within {policy['margin']:.3g} of the likeliest."
        )
    for family in policy.get("families", ()):
        own = [
            f"{words} {family[key]:.3g}"
            for key, words in (("max_prob", "below"), ("margin", "with the next label within"))
            if key in family
        ]
        lines.append(f"Of {_labels(family['labels'])} instead: to the teacher {' or '.join(own)}.")
    return lines or ["Everything else is answered here."]


def _labels(labels: Iterable[str]) -> str:
    return ", ".join(f"`{label}`" for label in labels)


def _shares(facts: Facts) -> str:
    if facts.routing is None:
        return ""
    overall = next((one for one in facts.routing.slices if one.quality.name == "overall"), None)
    if overall is None or overall.fallback is None:
        return ""
    refused = (
        f", {_share(overall.refused)} were refused" if overall.refused and overall.refused.estimate else ""
    )
    return f"Of the test rows {_share(overall.fallback)} went to the teacher{refused}."


def _share(found: Interval) -> str:
    return f"{percent(found.estimate)} [{percent(found.low)} to {percent(found.high)}]"
