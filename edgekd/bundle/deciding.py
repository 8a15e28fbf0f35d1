"""How an artifact chooses what it answers, in words: its decision bias, and who runs its routing policy."""

from __future__ import annotations

from collections.abc import Mapping

RUN, CLIENT, NOT_RUN = "run", "client", "not run"
"""What a kind of bundle does with a routing policy: its `POLICY`. One that says nothing does not run it."""

_UNJUDGED = (
    "The gate judged the student and the policy together, so what the student answers alone is not what was "
    "judged."
)


def describe_bias(bias: Mapping[str, float]) -> str:
    """Say in one sentence that there is a bias, for which classes, and why; empty where there is none."""
    moved = {label: number for label, number in bias.items() if number}
    if not moved:
        return ""
    classes = ", ".join(f"`{label}` ({number:+g})" for label, number in moved.items())
    return (
        f"Where a label is chosen, a bias is added to the log probability of {classes}, so that fewer "
        "messages of these classes are missed, as their floors ask; it was fitted on validation rows, and "
        "the probability that is returned is the model's own, without the bias."
    )


def describe_policy(kind: str, runs: str) -> str:
    """Say what bundles of a kind do with a routing policy; empty where they run it."""
    if runs == RUN:
        return ""
    if runs == CLIENT:
        return (
            f"In bundles of kind {kind} the server knows nothing of the artifact's routing policy: "
            "`client.py` runs it, and a client of your own that reads the logits must do so, too. "
            f"{_UNJUDGED}"
        )
    return (
        f"Bundles of kind {kind} DO NOT RUN the artifact's routing policy: the student answers every text "
        f"alone. {_UNJUDGED} The caller must apply the policy, which is `routing` in `calibration.json`, or "
        "take an artifact that was promoted without one."
    )
