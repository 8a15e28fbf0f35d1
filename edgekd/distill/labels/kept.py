"""What is kept of a teacher's outputs, and how far the softmax of it can be from the teacher's.

Up to `2 * TOP` outputs per row every one is kept, in half precision. Of more, which are then logits of as
many labels, kept of each row are its `TOP` largest in half precision and, for each of `TEMPERATURES`, one
number for all the others: the logit that each of them would have were they equal and together of
the same mass at that temperature, `T * log(mean(exp(z / T)))`. For fewer the numbers of the labels would
need more room than the logits that they save.

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
class KeptOutputs:
    """What is kept of `width` outputs per row.

    `top` is in the outputs' order if all are kept, else largest first, with the outputs' numbers in
    `index` and the others' common logit at each of `TEMPERATURES` in `rest`.
    """

    width: int
    top: Float16[np.ndarray, "row kept"]
    index: UInt[np.ndarray, "row kept"] | None = None
    rest: Float16[np.ndarray, "row temperature"] | None = None

    def __len__(self) -> int:
        return len(self.top)

    def take(self, rows: npt.NDArray[np.int64]) -> KeptOutputs:
        """Take some rows, in that order."""
        index, rest = (None if part is None else part[rows] for part in (self.index, self.rest))
        return KeptOutputs(self.width, self.top[rows], index, rest)

    def expand(self, temperature: float | None) -> Float16[np.ndarray, "row output"]:
        """Give every output a value; where not all are kept, for the softmax at this temperature alone.

        Raises:
            ConfigError: if nothing was kept for this temperature.
        """
        check_temperature(self.width, temperature)
        if self.index is None or self.rest is None or temperature is None:
            return self.top
        rest = self.rest[:, TEMPERATURES.index(temperature), None]
        outputs = np.repeat(rest, self.width, axis=1)
        np.put_along_axis(outputs, self.index.astype(np.int64), self.top, axis=1)
        return outputs

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


def check_temperature(width: int, temperature: float | None) -> None:
    """Refuse a temperature whose softmax the kept outputs cannot give; None is no softmax.

    Raises:
        ConfigError: if not all outputs are kept, and nothing of the others for this temperature.
    """
    if width > 2 * TOP and temperature not in TEMPERATURES:
        known = ", ".join(f"{t:g}" for t in TEMPERATURES)
        given = "not given" if temperature is None else f"{temperature:g}"
        raise ConfigError(
            f"distillation.temperature is {given}; soft labels over {width} labels, more than "
            f"{2 * TOP}, are kept for {known}; choose one of these"
        )


def keep_outputs(outputs: Float32[np.ndarray, "row output"]) -> KeptOutputs:
    """Keep what the module says of each row.

    Raises:
        DataError: if an output is not finite, or too large for half precision.
    """
    if not np.isfinite(outputs).all() or (outputs.size and np.abs(outputs).max() > np.finfo(np.float16).max):
        raise DataError("a teacher's outputs must be finite and within 65504, which half precision can hold")
    width = outputs.shape[1]
    if width <= 2 * TOP:
        return KeptOutputs(width, outputs.astype(np.float16))
    largest = np.argpartition(-outputs, TOP - 1, axis=1)[:, :TOP]
    top = np.take_along_axis(outputs, largest, axis=1)
    order = np.argsort(-top, axis=1, kind="stable")
    index, top = np.take_along_axis(largest, order, axis=1), np.take_along_axis(top, order, axis=1)
    others = outputs.astype(np.float64)
    np.put_along_axis(others, index, -np.inf, axis=1)
    rest = np.stack([_common(others, width - TOP, t) for t in TEMPERATURES], axis=1)
    kind = np.uint16 if width <= 2**16 else np.uint32
    return KeptOutputs(width, top.astype(np.float16), index.astype(kind), rest.astype(np.float16))


def join_kept(parts: Sequence[KeptOutputs]) -> KeptOutputs:
    """Put the rows of several, at least one, of the same width, one after another."""
    top = np.concatenate([part.top for part in parts])
    index = [part.index for part in parts if part.index is not None]
    rest = [part.rest for part in parts if part.rest is not None]
    if not index:
        return KeptOutputs(parts[0].width, top)
    return KeptOutputs(parts[0].width, top, np.concatenate(index), np.concatenate(rest))


def divergence(
    reference: Float[np.ndarray, "row output"], candidate: Float[np.ndarray, "row output"], temperature: float
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
