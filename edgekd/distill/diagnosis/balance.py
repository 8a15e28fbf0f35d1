"""What the parts of the loss say beside one another: labels, teacher, hidden states, attention."""

from __future__ import annotations

from itertools import pairwise

from edgekd.distill.diagnosis.finding import Finding, Setup
from edgekd.distill.diagnosis.history import BAND, History, Series, trend

HARD_LOW, HARD_HIGH = 0.25, 0.5
"""Cross-entropy in nats: the right label gets 78 % and 61 % of the probability, in the geometric mean."""
KD_LOW, KD_HIGH = 0.2, 0.5
"""T^2 KL in nats: at a high temperature half the mean squared gap of the logits, so gaps of 0.6 and 1."""
MANY = 4
"""Epochs after which high losses are no matter of patience."""
SLOW = 0.1
"""Relative fall over two epochs under which a high loss is not on its way down."""
FAR = 5.0
"""How many times the attention loss the hidden loss is where it is far over it."""


def judge_balance(history: History, setup: Setup, *, may_go_on: bool = True) -> list[Finding]:
    """Compare the parts of the loss; nothing is said of a model that learns from labels alone.

    `may_go_on` says whether held-out rows would gain from more epochs.
    """
    if not history.is_distilled:
        return []
    found = (
        _labels_or_teacher(history, setup, may_go_on),
        _all_high(history, setup),
        _features(history, setup),
    )
    return [finding for finding in found if finding is not None]


def _labels_or_teacher(history: History, setup: Setup, may_go_on: bool) -> Finding | None:
    hard, soft = history.series("train_hard_ce")[-2:], history.series("train_kd_kl_t2")[-2:]
    if len(hard) < 2 or len(soft) < 2:
        return None
    evidence: tuple[str, ...] = (f"hard cross-entropy {_show(hard)}", f"soft loss (T^2 KL) {_show(soft)}")
    evidence += (_mixed(setup),) if setup.is_known else ()
    alpha, temperature = setup.distillation.alpha, setup.distillation.temperature
    if _are_over(hard, HARD_HIGH) and _are_under(soft, KD_LOW):
        commands = [setup.command(distillation__alpha=round(max(0.0, alpha - 0.2), 2))] if alpha > 0 else []
        longer = [setup.retrain(epochs=2 * setup.training.epochs)] if may_go_on else []
        advice = "more weight on labels" if commands else ""
        if not commands and not longer:
            return None
        return Finding(
            "raise hard weight",
            "it answers as the teacher does, and misses the labels",
            evidence,
            ", or ".join(filter(None, (advice, "longer training" if longer else ""))),
            (*commands, *longer),
        )
    if _are_under(hard, HARD_LOW) and _are_over(soft, KD_HIGH):
        commands = (
            [setup.command(distillation__alpha=round(min(0.95, alpha + 0.2), 2))] if alpha < 0.95 else []
        )
        return Finding(
            "raise alpha or temperature",
            "it knows the labels, and not how the teacher weighs the other classes",
            evidence,
            "more weight on the teacher, or a higher temperature",
            (*commands, setup.command(distillation__temperature=2 * temperature)),
        )
    return None


def _all_high(history: History, setup: Setup) -> Finding | None:
    hard, soft = history.series("train_hard_ce")[-MANY:], history.series("train_kd_kl_t2")[-MANY:]
    if len(hard) < MANY or len(soft) < MANY or not (_are_over(hard, HARD_HIGH) and _are_over(soft, KD_HIGH)):
        return None
    moved = [found for series in (hard, soft) if (found := trend("", series)) is not None]
    if any(found.change < -SLOW for found in moved):
        return None
    augmented = setup.distillation.augmentations + 4
    return Finding(
        "larger student or better data",
        f"every loss has been high for {MANY} epochs and hardly falls",
        (f"hard cross-entropy {_show(hard)}", f"soft loss (T^2 KL) {_show(soft)}"),
        "a larger student, or better data",
        (*setup.enlarge(), setup.command(distillation__augmentations=augmented)),
    )


def _features(history: History, setup: Setup) -> Finding | None:
    hidden, maps = history.series("train_feature_mse"), history.series("train_attention_mse")
    hard = history.series("train_hard_ce")
    moves, hard_moves = trend("feature MSE", hidden), trend("hard cross-entropy", hard)
    if moves is None:
        return None
    if moves.moves == "falls" and hard_moves is not None and hard_moves.moves == "is flat":
        return Finding(
            "structure is still learned",
            "labels gain nothing yet, hidden states do: the student learns structure",
            (str(hard_moves), str(moves)),
            "go on",
            (setup.retrain(epochs=setup.training.epochs + 2),),
        )
    if moves.moves == "is flat" and _is_noisy(hard):
        return Finding(
            "at its capacity",
            "hidden states gain nothing more and the loss on labels swings: the student is at its capacity",
            (str(moves), f"hard cross-entropy {_show(hard[-MANY:])}"),
            "a larger student",
            setup.enlarge(),
        )
    if maps and hidden[-1][1] > FAR * maps[-1][1] > 0 and moves.change > -SLOW:
        ratio = hidden[-1][1] / maps[-1][1]
        return Finding(
            "hidden states lag",
            f"the hidden loss is {ratio:.1f} times the attention loss and hardly falls",
            (f"feature MSE {_show(hidden[-2:])}", f"attention MSE {_show(maps[-2:])}"),
            "a longer feature stage, a lower rate in the output stage, or a slightly wider student",
            (setup.retrain(learning_rate=setup.training.learning_rate / 2), *setup.enlarge()),
        )
    return None


def _is_noisy(series: Series) -> bool:
    """Tell whether a figure went up and down by more than `BAND` within the last epochs."""
    last = [value for _, value in series[-MANY:]]
    changes = [(after - before) / before for before, after in pairwise(last) if before]
    return len(last) == MANY and max(changes, default=0) > BAND and min(changes, default=0) < -BAND


def _are_over(series: Series, bound: float) -> bool:
    return all(value > bound for _, value in series)


def _are_under(series: Series, bound: float) -> bool:
    return all(value < bound for _, value in series)


def _show(series: Series) -> str:
    values = ", ".join(f"{value:.3f}" for _, value in series)
    return f"{values} (epochs {series[0][0]} to {series[-1][0]})"


def _mixed(setup: Setup) -> str:
    return f"alpha {setup.distillation.alpha:g}, temperature {setup.distillation.temperature:g}"
