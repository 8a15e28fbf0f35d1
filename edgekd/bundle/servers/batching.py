"""Whether texts may share a batch: measured on the artifact, not read off its recipe's name.

A dynamically quantized model chooses the scale of its activations over the whole batch, so that a text's
answer depends on its neighbours. What was measured and gated is each text alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgekd.compile import Artifact
from edgekd.serving.heads import fold, open_head
from edgekd.serving.request import join_outputs
from edgekd.serving.runtimes import import_runtime, open_session

TOGETHER = 8
_RUNS = 256
# Of the logits' own spread. Other kernels for other sizes give 1e-6 of it in fp32 and 1e-3 in fp16; scales
# chosen over the batch give 6 % to 20 % (tests/bundle/test_batching.py).
_HARMLESS = 0.01

Runs = Sequence[list[int]]
"""The ids of each run that answers a request: of a text one, of a query with candidates several."""


@dataclass(frozen=True)
class Batching:
    """What sharing a batch did to the outputs of `compared` runs, and so to the answers to `requests`.

    Attributes:
        changed: requests with another answer.
        worst: largest difference of a logit.
        spread: standard deviation of the outputs.
    """

    compared: int
    requests: int
    changed: int
    worst: float
    spread: float

    @property
    def is_harmless(self) -> bool:
        """Whether it was compared at all and changed nothing but rounding."""
        return self.compared > 0 and self.changed == 0 and self.worst <= _HARMLESS * self.spread


def measure_batching(artifact: Artifact, requests: Sequence[Runs], threads: int) -> Batching:
    """Make up to 256 runs that answer requests alone and in batches of up to 8 runs of equal length.

    Answers are compared as they are served: labels with the artifact's temperature and decision bias, orders
    by the first candidate.
    """
    head = open_head(artifact.path, artifact.manifest)
    runtime = import_runtime(artifact.path, artifact.manifest)
    session = open_session(runtime, artifact.path, artifact.manifest, threads)
    taken = _take(requests)
    rows = [ids for runs in taken for ids in runs]
    by_length: defaultdict[int, list[int]] = defaultdict(list)
    for place, ids in enumerate(rows):
        by_length[len(ids)].append(place)
    alone = np.array([session.run(ids or [0]) for ids in rows], np.float32)
    together, compared = alone.copy(), np.zeros(len(rows), np.bool_)
    for length, places in by_length.items():
        for start in range(0, len(places) if length else 0, TOGETHER):
            batch = places[start : start + TOGETHER]
            if len(batch) > 1:
                together[batch] = session.run_batch(np.array([rows[place] for place in batch], np.int64))
                compared[batch] = True
    if not compared.any():
        return Batching(0, 0, 0, 0.0, 0.0)
    ends = np.cumsum([len(runs) for runs in taken])
    touched = [slice(end - len(runs), end) for runs, end in zip(taken, ends, strict=True)]
    touched = [part for part in touched if compared[part].any()]
    answers = (
        join_outputs([fold(one[part], artifact.head)[None] for part in touched]) for one in (alone, together)
    )
    first, second = alone[compared], together[compared]
    return Batching(
        compared=len(first),
        requests=len(touched),
        changed=int((~head.agree(*answers)).sum()),
        worst=float(np.abs(first - second).max()),
        spread=float(first.std()),
    )


def _take(requests: Sequence[Runs]) -> list[Runs]:
    """Return the first requests that 256 runs answer; of a longer one that many runs."""
    taken, left = [], _RUNS
    for runs in requests:
        if not left:
            break
        taken.append(runs[:left])
        left -= len(taken[-1])
    return taken
