"""Prove on real text that a candidate answers as its source does, or fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgekd.errors import ParityError

Ids = Sequence[int]
Answer = Callable[[Ids], npt.NDArray[np.float32]]
Agree = Callable[[npt.NDArray[np.float32], npt.NDArray[np.float32]], npt.NDArray[np.bool_]]
"""Says of each row whether two sets of outputs [row, output] give the same answer, as a head does."""

# Absolute, on outputs: fp32 kernels that sum in another order differ by about 2e-6 here.
FP32_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Difference:
    """How far a candidate's outputs lie from the reference's over the same texts.

    Attributes:
        worst: the largest absolute difference of a logit.
        mean_error_share: the mean absolute difference over the standard deviation of the reference's outputs.
    """

    texts: int
    worst: float
    mean_error_share: float


@dataclass(frozen=True)
class Parity(Difference):
    """The same, and the share of texts with the same answer: a label, or a score within a tolerance."""

    agreeing: float


def compare_outputs(
    reference: npt.NDArray[np.float32], candidate: npt.NDArray[np.float32], texts: Sequence[str], agree: Agree
) -> Parity:
    """Compare outputs [text, output] of the same texts; `agree` says which of them give the same answer.

    Where both are NaN a text has no such output: requests may have fewer candidates than others.

    Raises:
        ParityError: as `compare_numbers`.
    """
    known = np.ones_like(reference, np.bool_)
    if reference.shape == candidate.shape:
        known = ~(np.isnan(reference) & np.isnan(candidate))
    if known.all():
        found = compare_numbers(reference, candidate, texts)
    else:
        names = [texts[row] for row in np.nonzero(known)[0].tolist()]
        found = compare_numbers(reference[known][:, None], candidate[known][:, None], names)
    agreeing = float(agree(reference, candidate).mean())
    return Parity(len(texts), found.worst, found.mean_error_share, agreeing)


def compare_numbers(
    reference: npt.NDArray[np.float32], candidate: npt.NDArray[np.float32], texts: Sequence[str]
) -> Difference:
    """Compare outputs [text, output] of the same texts, whatever they mean.

    Raises:
        ParityError: if the candidate's have another shape or are not finite, naming the text.
    """
    if not texts:
        raise ParityError("parity needs at least one text")
    if reference.shape != candidate.shape or reference.ndim != 2 or len(reference) != len(texts):
        raise ParityError(f"logits have the shape {candidate.shape}, expected {reference.shape}")
    for rows, whose in ((reference, "reference"), (candidate, "candidate")):
        bad = np.flatnonzero(~np.isfinite(rows).all(1))
        if bad.size:
            raise ParityError(
                f"the {whose}'s outputs are not finite for {bad.size} texts: {texts[bad[0]]!r:.80}"
            )
    error = np.abs(reference - candidate)
    spread = float(reference.std()) or 1.0
    return Difference(len(texts), float(error.max()), float(error.mean()) / spread)


def prove_parity(
    reference: Answer,
    candidate: Answer,
    rows: Sequence[Ids],
    texts: Sequence[str] | None = None,
    *,
    tolerance: float = FP32_TOLERANCE,
) -> Difference:
    """Run both on every row of token ids and hold the largest difference against the tolerance.

    Both give outputs [output] for one row of ids. `texts` names the rows in errors; rows of
    `range(1, max_tokens + 1)` lengths are the caller's to choose.

    Raises:
        ParityError: a wrong shape, a value that is not finite, or a difference over `tolerance`.
    """
    names = list(texts) if texts is not None else [f"ids {list(row)[:12]}" for row in rows]
    wanted = [np.asarray(reference(row), np.float32) for row in rows]
    got = [np.asarray(candidate(row), np.float32) for row in rows]
    for name, left, right in zip(names, wanted, got, strict=True):
        if left.ndim != 1 or not left.size or left.shape != right.shape:
            raise ParityError(f"logits have the shape {right.shape}, expected {left.shape}, for {name!r:.80}")
    if not names:
        raise ParityError("parity needs at least one text")
    first, second = np.stack(wanted), np.stack(got)
    found = compare_numbers(first, second, names)
    if found.worst > tolerance:
        place = int(np.abs(first - second).max(1).argmax())
        raise ParityError(
            f"logits differ by {found.worst:.3g}, allowed {tolerance:.3g}; "
            f"worst of {len(names)} texts ({len(rows[place])} tokens): {names[place]!r:.80}"
        )
    return found
