"""What a training's log says, and what to try next."""

from __future__ import annotations

from collections.abc import Sequence

from edgekd.distill.diagnosis.balance import judge_balance
from edgekd.distill.diagnosis.capacity import judge_capacity
from edgekd.distill.diagnosis.finding import Finding, Setup
from edgekd.distill.diagnosis.history import History
from edgekd.distill.diagnosis.score import best_epoch
from edgekd.distill.diagnosis.settle import settle
from edgekd.distill.diagnosis.stop import check_rules
from edgekd.distill.diagnosis.trends import judge_trends
from edgekd.distill.logs.training_events import DominatingExample

MISSED = 0.05
"""Share by which live traffic may fall short of the validation rows before those miss a dimension."""
FELL = 0.1
"""Relative fall of validation loss from which it counts as good."""


def diagnose(history: History, setup: Setup, others: Sequence[History] = ()) -> tuple[Finding, ...]:
    """Find what is worth an action, the question whether to go on first.

    `others` are the other students of the same run, on the same rows and the same teacher.
    """
    trends = judge_trends(history, setup)
    may_go_on = trends is None or trends.name not in ("stop", "prepare to stop")
    found = [
        trends,
        *judge_balance(history, setup, may_go_on=may_go_on),
        judge_capacity(history, others, setup),
        _gates(history, setup),
        _rules(history, setup),
        _time(history, setup),
        _dominating(history, setup),
    ]
    return settle([finding for finding in found if finding is not None], history)


def _gates(history: History, setup: Setup) -> Finding | None:
    """Offline loss is low and online business poor: the evaluation misses a dimension."""
    best = history.best
    evidence = []
    weak = []
    for live in history.shadow:
        offline = best.teacher_preference_match
        if offline is not None and offline - live.teacher_preference_match > MISSED:
            shown = f"teacher match {offline:.3f} offline, {live.teacher_preference_match:.3f} in the shadow"
            evidence.append(f"slice {live.slice} ({live.n} rows): {shown}")
            weak.append(live.slice)
        recalls = live.baseline_escalation_recall, live.policy_escalation_recall
        if recalls[0] is not None and recalls[1] is not None and recalls[0] - recalls[1] > MISSED:
            shown = f"escalation recall {recalls[1]:.3f}, the baseline's {recalls[0]:.3f}"
            evidence.append(f"slice {live.slice} ({live.n} rows): {shown}")
            weak.append(live.slice)
    first, wins = history.epochs[0].val_loss, best.human_win_rate_vs_base
    if best.val_loss < (1 - FELL) * first and wins is not None and wins < 0.5:
        loss = f"validation loss {first:.3f} to {best.val_loss:.3f} (epoch {best.epoch})"
        evidence.append(f"{loss}, and people prefer the base: win rate {wins:.3f}")
    if not evidence:
        return None
    named = f" for {', '.join(dict.fromkeys(weak))}" if weak else ""
    return Finding(
        "fix the gates",
        "good offline and poor online: the evaluation misses a dimension",
        tuple(evidence),
        f"add slices{named} to the project's `slices`, with tier: prove, and judge again",
        (setup.command("gate"),),
    )


def _rules(history: History, setup: Setup) -> Finding | None:
    """Name the stop rules that fire after the last epoch."""
    if best_epoch(history.epochs) is None:
        return Finding(
            "business rule",
            "no epoch may be promoted: each failed a gate on cost, latency or safety",
            (f"epochs {history.epochs[0].epoch} to {history.epochs[-1].epoch}: not promotable",),
            "mend what the gates name before training on",
            (setup.command("gate"),),
        )
    fired = [verdict for verdict in check_rules(history.epochs) if verdict.fires]
    if not fired:
        return None
    best = history.best.epoch
    return Finding(
        f"{' and '.join(verdict.rule for verdict in fired)} rule",
        "a stop rule fires after the last epoch",
        tuple(verdict.evidence for verdict in fired),
        f"keep epoch {best} and judge it",
        (setup.command("gate"),),
    )


def _time(history: History, setup: Setup) -> Finding | None:
    profile, found = history.profile, history.bottleneck
    if profile is None or found is None or not found.is_starved:
        return None
    commands = {
        "teacher": _spare_teacher(setup),
        "input": (setup.retrain(batch=2 * setup.training.batch),),
    }
    return Finding(
        "starved",
        found.words.partition(": ")[0],
        (f"{_epochs(history)}: {profile.seconds:.1f} s, {profile.tokens_per_second:.0f} tokens a second",),
        found.words.partition(": ")[2],
        commands.get(found.phase, ()),
    )


def _epochs(history: History) -> str:
    first, last = history.profiles[0].epoch, history.profiles[-1].epoch
    return f"epoch {last}" if first == last else f"epochs {first} to {last}"


def _spare_teacher(setup: Setup) -> tuple[str, ...]:
    """Write the commands that take the teacher out of the loop, or leave it there for fewer epochs."""
    features = setup.distillation.features
    if features is None:
        return (setup.command("label"),)
    less = setup.command(distillation__features__epochs=features.epochs // 2)
    without = setup.command(distillation__features=None)
    return (less, without) if features.epochs > 1 else (without,)


def _dominating(history: History, setup: Setup) -> Finding | None:
    found = history.dominating
    # Copies that were made and rows without a label have no label that could be wrong.
    labelled = [] if found is None else [e for e in found.examples if e.class_name or e.target]
    if found is None or not labelled:
        return None
    mixed = [e for e in labelled if e.class_name and e.teacher_answer not in (None, e.class_name)]
    shown = [
        f"row {e.row}: {e.text!r}, {_target(e)}, teacher {e.teacher_answer or 'none'}, "
        f"{e.epochs_over} of {e.epochs_seen} epochs, mean loss {e.mean_loss:.2f}"
        for e in labelled[:3]
    ]
    if not any(e.target for e in labelled):
        shown.append(f"label and teacher differ on {len(mixed)} of the {len(labelled)} worst")
    share = f"{found.count} of {found.rows} rows"
    return Finding(
        "dominating examples",
        f"{share} have over {found.times_batch_mean:g} times their batch's mean loss, epoch after epoch",
        tuple(shown),
        "read them: mend wrong labels in the data, then run again",
        (setup.command(),),
    )


def _target(example: DominatingExample) -> str:
    return f"class {example.class_name or 'none'}" if example.target is None else f"target {example.target}"
