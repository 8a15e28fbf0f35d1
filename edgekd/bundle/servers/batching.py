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
from edgekd.serving.heads import open_head
from edgekd.serving.runtimes import import_runtime, open_session

_TEXTS, _TOGETHER = 256, 8
# Of the logits' own spread. Other kernels for other sizes give 1e-6 of it in fp32 and 1e-3 in fp16; scales
# chosen over the batch give 6 % to 20 % (tests/bundle/test_batching.py).
_HARMLESS = 0.01


@dataclass(frozen=True)
class Batching:
    """What sharing a batch did to the answers to `compared` texts.

    Attributes:
        changed: texts with another answer.
        worst: largest difference of a logit.
        spread: standard deviation of the outputs.
    """

    compared: int
    changed: int
    worst: float
    spread: float

    @property
    def is_harmless(self) -> bool:
        """Whether it was compared at all and changed nothing but rounding."""
        return self.compared > 0 and self.changed == 0 and self.worst <= _HARMLESS * self.spread


def measure_batching(artifact: Artifact, rows: Sequence[list[int]], threads: int) -> Batching:
    """Answer up to 256 rows of ids alone and in batches of up to 8 rows of equal length.

    Answers are compared as they are served: labels with the artifact's temperature and decision bias.
    """
    head = open_head(artifact.path, artifact.manifest)
    runtime = import_runtime(artifact.path, artifact.manifest)
    session = open_session(runtime, artifact.path, artifact.manifest, threads)
    by_length: defaultdict[int, list[list[int]]] = defaultdict(list)
    for row in rows[:_TEXTS]:
        by_length[len(row)].append(row)
    alone, together = [], []
    for length, group in by_length.items():
        for start in range(0, len(group) if length else 0, _TOGETHER):
            batch = group[start : start + _TOGETHER]
            if len(batch) > 1:
                together.append(session.run_batch(np.array(batch, np.int64)))
                alone.append(np.stack([session.run(row) for row in batch]))
    if not together:
        return Batching(0, 0, 0.0, 0.0)
    first, second = np.concatenate(alone), np.concatenate(together)
    return Batching(
        compared=len(first),
        changed=int((~head.agree(first, second)).sum()),
        worst=float(np.abs(first - second).max()),
        spread=float(first.std()),
    )
