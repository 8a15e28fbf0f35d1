"""What is kept of a teacher's logits, and how far the softmax of it can be from the teacher's.

Kept of each row: its `TOP` largest logits in half precision and, for each of `TEMPERATURES`, one
number for all the others: the logit that each of them would have were they equal and together of
the same mass at that temperature, `T * log(mean(exp(z / T)))`. Up to `2 * TOP` labels every logit
is kept: the numbers of the labels would need more room than the logits that they save.

The bound. Let p be the softmax of the true logits at temperature T and q that of the kept ones; r that of
the same numbers before rounding; n labels, k of them kept; m the mass that q gives the others; a =
(smallest kept - rest) / T >= 0; and w = 2^-10 * max(largest magnitude kept, 2^-14) / T: rounding to half
precision moves a number by at most w*T/2. Then, in nats,

    KL(p || q)  <=  m * e^w * (a + w)  +  w^2 / 8

Proof. (1) log(r/q) is the same for all labels that are not kept, and p gives them the mass that r does; so
the mean of log(r/q) under p is that under r, and KL(p||q) = KL(p||r) + KL(r||q). (2) KL(r||q) is
log E_r[e^d] - E_r[d] for the changes d of the exponents, which lie in an interval of width w: by
Hoeffding's lemma at most w^2/8. (3) p and r differ in the others alone: there r is uniform, and with t the
shape of p there, KL(p||r) = m' * sum(t * log(t * (n-k))), m' their true mass, which is at most m' * log(
max(t) * (n-k)). None of them is larger than the smallest kept, so this is at most m' times the true a; m' is
at most m * e^w, and the true a at most a + w. Where all are kept m is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Float16, Float32, UInt

from edgekd.errors import ConfigError, DataError

TOP = 256
TEMPERATURES = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)


@dataclass(frozen=True)
class KeptLogits:
    """What is kept of logits over `labels` labels.

    `top` is in the labels' order if all are kept, else largest first, with the labels' numbers in
    `index` and the others' common logit at each of `TEMPERATURES` in `rest`.
    """

    labels: int
    top: Float16[np.ndarray, "row kept"]
    index: UInt[np.ndarray, "row kept"] | None = None
    rest: Float16[np.ndarray, "row temperature"] | None = None

    def __len__(self) -> int:
        return len(self.top)

    def take(self, rows: npt.NDArray[np.int64]) -> KeptLogits:
        """Take some rows, in that order."""
        index, rest = (None if part is None else part[rows] for part in (self.index, self.rest))
        return KeptLogits(self.labels, self.top[rows], index, rest)

    def expand(self, temperature: float) -> Float16[np.ndarray, "row label"]:
        """Give every label a logit; where not all are kept, for this temperature alone.

        Raises:
            ConfigError: if nothing was kept for this temperature.
        """
        check_temperature(self.labels, temperature)
        if self.index is None or self.rest is None:
            return self.top
        rest = self.rest[:, TEMPERATURES.index(temperature), None]
        logits = np.repeat(rest, self.labels, axis=1)
        np.put_along_axis(logits, self.index.astype(np.int64), self.top, axis=1)
        return logits

    def error_bound(self, temperature: float) -> Float[np.ndarray, " row"]:
        """Bound KL(teacher || kept) of the softmax at a temperature, in nats; the module says why."""
        logits = self.expand(temperature).astype(np.float64)
        width = 2.0**-10 * np.maximum(np.abs(logits).max(axis=1), 2.0**-14) / temperature
        rounding: Float[np.ndarray, " row"] = width**2 / 8
        if self.index is None or self.rest is None:
            return rounding
        others = self.rest[:, TEMPERATURES.index(temperature)].astype(np.float64)
        shares = np.exp((logits - logits.max(axis=1, keepdims=True)) / temperature)
        kept = np.take_along_axis(shares, self.index.astype(np.int64), axis=1).sum(axis=1)
        mass = 1.0 - kept / shares.sum(axis=1)
        gap = (self.top[:, -1].astype(np.float64) - others) / temperature
        bound: Float[np.ndarray, " row"] = mass * np.exp(width) * (gap + width) + rounding
        return bound


def check_temperature(labels: int, temperature: float) -> None:
    """Refuse a temperature whose softmax the kept logits cannot give.

    Raises:
        ConfigError: if not all labels are kept, and nothing of the others for this temperature.
    """
    if labels > 2 * TOP and temperature not in TEMPERATURES:
        known = ", ".join(f"{t:g}" for t in TEMPERATURES)
        raise ConfigError(
            f"distillation.temperature is {temperature:g}; soft labels over {labels} labels, more than "
            f"{2 * TOP}, are kept for {known}; choose one of these"
        )


def keep_logits(logits: Float32[np.ndarray, "row label"]) -> KeptLogits:
    """Keep what the module says of each row.

    Raises:
        DataError: if a logit is not finite, or too large for half precision.
    """
    if not np.isfinite(logits).all() or (logits.size and np.abs(logits).max() > np.finfo(np.float16).max):
        raise DataError("a teacher's logits must be finite and within 65504, which half precision can hold")
    labels = logits.shape[1]
    if labels <= 2 * TOP:
        return KeptLogits(labels, logits.astype(np.float16))
    largest = np.argpartition(-logits, TOP - 1, axis=1)[:, :TOP]
    top = np.take_along_axis(logits, largest, axis=1)
    order = np.argsort(-top, axis=1, kind="stable")
    index, top = np.take_along_axis(largest, order, axis=1), np.take_along_axis(top, order, axis=1)
    others = logits.astype(np.float64)
    np.put_along_axis(others, index, -np.inf, axis=1)
    rest = np.stack([_common(others, labels - TOP, t) for t in TEMPERATURES], axis=1)
    kind = np.uint16 if labels <= 2**16 else np.uint32
    return KeptLogits(labels, top.astype(np.float16), index.astype(kind), rest.astype(np.float16))


def join_kept(parts: Sequence[KeptLogits]) -> KeptLogits:
    """Put the rows of several, at least one, over the same labels, one after another."""
    top = np.concatenate([part.top for part in parts])
    index = [part.index for part in parts if part.index is not None]
    rest = [part.rest for part in parts if part.rest is not None]
    if not index:
        return KeptLogits(parts[0].labels, top)
    return KeptLogits(parts[0].labels, top, np.concatenate(index), np.concatenate(rest))


def divergence(
    reference: Float[np.ndarray, "row label"], candidate: Float[np.ndarray, "row label"], temperature: float
) -> Float[np.ndarray, " row"]:
    """KL(softmax(reference / T) || softmax(candidate / T)) of each row, in nats."""
    left, right = (_log_softmax(np.asarray(z, np.float64) / temperature) for z in (reference, candidate))
    found: npt.NDArray[np.float64] = (np.exp(left) * (left - right)).sum(axis=1)
    return found


def _common(others: npt.NDArray[np.float64], count: int, temperature: float) -> npt.NDArray[np.float64]:
    largest = others.max(axis=1)
    mean = np.exp((others - largest[:, None]) / temperature).sum(axis=1) / count
    common: npt.NDArray[np.float64] = largest + temperature * np.log(mean)
    return common


def _log_softmax(z: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    z = z - z.max(axis=1, keepdims=True)
    logs: npt.NDArray[np.float64] = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return logs
