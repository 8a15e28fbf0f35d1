"""Whether to go on: how training loss, validation loss and errors move together."""

from __future__ import annotations

import math

from edgekd.distill.diagnosis.finding import Finding, Setup
from edgekd.distill.diagnosis.history import WINDOW, History, Trend, trend

ERROR_BAND = 0.03
"""Relative change of an error rate within which it is flat, or its standard error where that is more."""


def judge_trends(history: History, setup: Setup) -> Finding | None:
    """Say continue, prepare to stop, or stop; None before the second epoch.

    Training that still falls goes on while validation falls or errors do, and stops where both rise:
    then the student copies the teacher's style, or learns its rows by heart. Between, it is time to
    prepare to stop.
    """
    train = trend("training loss", history.series("train_loss"))
    held_out = trend("validation loss", history.series("val_loss"))
    if train is None or held_out is None:
        return None
    errors = _error_trend(history)
    evidence = tuple(str(found) for found in (train, held_out, errors) if found is not None)
    if train.moves == "rises":
        lower = setup.training.learning_rate / 2
        return Finding(
            "lower the rate",
            "training loss rises: the rate is too high for this model",
            evidence,
            "halve the learning rate",
            (setup.retrain(learning_rate=lower),),
        )
    balance = _SIGN[held_out.moves] + _SIGN[(errors or held_out).moves]
    if balance < 0:
        more = math.ceil(1.5 * setup.training.epochs)
        return Finding(
            "continue",
            "it still learns what held-out rows ask for",
            evidence,
            "train longer; the best epoch is kept either way",
            (setup.retrain(epochs=more),),
        )
    best = history.best.epoch
    if balance == 2 and train.moves == "falls":
        of_text = bool(history.series("hallucination_rate"))
        what = "it copies the teacher's style" if of_text else "it learns its rows by heart"
        return Finding(
            "stop",
            f"only training loss still falls: {what}",
            (*evidence, f"best epoch by promotion score: {best}"),
            f"keep epoch {best}; train no longer than that, or on more rows",
            (setup.retrain(epochs=best), *_more_rows(history, setup)),
        )
    return Finding(
        "prepare to stop",
        "held-out rows gain nothing more",
        (*evidence, f"best epoch by promotion score: {best}"),
        f"epoch {best} is what there is to gain: judge it",
        (setup.command("gate"),),
    )


_SIGN = {"falls": -1, "is flat": 0, "rises": 1}


def _error_trend(history: History) -> Trend | None:
    name, series = history.errors
    if len(series) < 2:
        return None
    rate, n = series[-1 - min(WINDOW, len(series) - 1)][1], history.epochs[-1].val_rows
    share = max(rate, 1 / n) if n else 0.0
    noise = math.sqrt(share * (1 - share) / n) if n else 0.0
    return trend(name, series, max(ERROR_BAND * rate, noise))


def _more_rows(history: History, setup: Setup) -> tuple[str, ...]:
    if not history.is_distilled:
        return ()
    return (setup.command(distillation__augmentations=setup.distillation.augmentations + 4),)
