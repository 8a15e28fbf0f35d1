"""Raw samples on disk: `.npy` files that the measured process maps and fills.

A record is one call: its nanoseconds, which input it answered, and which block it ran in. Nothing is ever
trimmed; the first call of a block, which refills the caches that another subject emptied, is kept and marked.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekd.errors import BadInputError
from edgekd.measure.arrays import CallFlags, CallNumbers, Nanoseconds
from edgekd.measure.worker import LEAD_IN

RECORD = np.dtype([("ns", "<u8"), ("input", "<u4"), ("block", "<u4")])


@dataclass(frozen=True)
class Samples:
    """The calls of one process in the order they ran; lead-in calls are not among them.

    Attributes:
        ns: nanoseconds per call.
        inputs: position of the answered text among the inputs.
        blocks: number of the block that the call ran in, from 0.
    """

    ns: Nanoseconds
    inputs: CallNumbers
    blocks: CallNumbers

    def __len__(self) -> int:
        return len(self.ns)

    def of_inputs(self, keep: CallFlags) -> Samples:
        """Return the calls marked in `keep`."""
        return Samples(self.ns[keep], self.inputs[keep], self.blocks[keep])


def read_samples(path: Path) -> Samples:
    """Read a process's samples, also those of a process that died: room that it did not fill is skipped."""
    records = _read_records(path)
    records = records[(records["block"] & LEAD_IN) == 0]
    return Samples(records["ns"].copy(), records["input"].copy(), records["block"].copy())


def weighted_quantile(samples: Samples, q: float) -> float:
    """Return percentile `q` in ns, each input weighing the same however often it was answered.

    The walk over the inputs ends anywhere, so that a fast and a slow subject answer them in unlike
    proportions; equal weights compare them on the same texts. Hazen's definition (Hyndman and Fan 1996,
    type 5), weighted.
    """
    _, which, counts = np.unique(samples.inputs, return_inverse=True, return_counts=True)
    order = np.argsort(samples.ns, kind="stable")
    weights = (1.0 / counts)[which][order]
    middles = (np.cumsum(weights) - weights / 2.0) / weights.sum()
    return float(np.interp(q, middles, samples.ns[order].astype(np.float64)))


def _read_records(path: Path) -> np.ndarray:
    try:
        with path.open("rb") as file:
            records = np.lib.format.read_array(file, allow_pickle=False)
    except Exception as error:  # numpy reads the header as Python, with all of its errors
        words = " ".join(str(error).split())[:200]
        raise BadInputError(f"{path}: samples cannot be read ({words}); measure again") from error
    if records.dtype != RECORD or records.ndim != 1:
        raise BadInputError(f"{path}: expected samples of type {RECORD}, got {records.dtype}; measure again")
    filled: np.ndarray = records[records["ns"] > 0]
    return filled
