"""Try a faster labeller on a sample of texts: is it equal to the reference, and how much faster?"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from edgekd.distill.labels.batches import equal_batches
from edgekd.distill.labels.labeller import Labeller, check_outputs, top_gaps
from edgekd.distill.learner import Agreement, Learner
from edgekd.distill.training.tokens import Tokens

# Of all texts, those whose answer is closest: compiled to int8 a teacher changes its mind on few others.
CLOSE_SHARE = 0.02
LEAST_SPEEDUP = 1.2


@dataclass(frozen=True)
class Trial:
    """How a labeller did that was tried.

    `gap` is what leaves `CLOSE_SHARE` of the sample to the reference; `agreement` and `speedup`
    are with that done.
    """

    agreement: Agreement
    gap: float
    speedup: float

    @property
    def is_better(self) -> bool:
        """Tell whether it may label in the reference's place, and is worth it."""
        return self.agreement.is_equal and self.speedup >= LEAST_SPEEDUP


def try_labeller(reference: Labeller, candidate: Labeller, tokens: Tokens, learner: Learner) -> Trial:
    """Label a sample by both, in turns, batch by batch; the first batch of each length is not timed."""
    width = len(learner.outputs)
    answers = [np.empty((len(tokens), width), np.float32) for _ in range(2)]
    seconds = [0.0, 0.0]
    seen: set[int] = set()
    for number, (picked, ids) in enumerate(equal_batches(tokens, np.arange(len(tokens)))):
        if ids.shape[1] not in seen:
            seen.add(ids.shape[1])
            for labeller in (reference, candidate):
                check_outputs(labeller, ids, width)
        for arm in ((0, 1), (1, 0))[number % 2]:
            began = time.perf_counter()
            outputs = check_outputs((reference, candidate)[arm], ids, width)
            seconds[arm] += time.perf_counter() - began
            answers[arm][picked] = outputs[: len(picked)]
    wanted, got = answers
    gap, share = 0.0, 0.0
    if width > 1 and np.isfinite(got).all():
        gaps = top_gaps(got)
        gap = float(np.quantile(gaps, CLOSE_SHARE))
        is_close = gaps < gap
        share = float(is_close.mean())
        got = np.where(is_close[:, None], wanted, got)
    return Trial(learner.compare(wanted, got), gap, seconds[0] / (seconds[1] + share * seconds[0]))
