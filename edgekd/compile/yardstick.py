"""What restoring operators is judged by: where answers stand, what they are worth, what a slice loses.

Rounding moves where an answer stands a little with each operator. What answers are worth is the task's to
say, by its scorer; how operators are chosen (`restore`) knows neither the task nor its head.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from edgekd.evaluate.arrays import Served
from edgekd.evaluate.drop import paired_drop
from edgekd.evaluate.predictions import Predictions
from edgekd.evaluate.result import Drop
from edgekd.evaluate.scorer import JudgedRows, Scorer
from edgekd.evaluate.slice_rows import SliceRows

if TYPE_CHECKING:
    import torch

Outputs = npt.NDArray[np.float32]

# Values of at least so many answers are averaged over draws of what is not known of their outputs.
_DRAWN = 2_000


class Standing(Protocol):
    """One or several numbers per row, whose changes say what rounding does to the value of the answer."""

    def follow(self, outputs: torch.Tensor, examples: npt.NDArray[np.int64]) -> torch.Tensor:
        """Return the numbers [example, number] of these examples, for gradients, by their outputs."""
        ...

    def stand(self, outputs: Outputs) -> Outputs:
        """Return the numbers [row, number] by the outputs [row, output] to all rows."""
        ...

    def value(self, part: SliceRows, standing: Outputs, noise: float) -> float:
        """Sum the values of a slice's answers where all rows stand so [row, number], up to some noise."""
        ...


class Yardstick:
    """Judges outputs to a fixed list of rows by the slices that have a margin.

    `reference` and `exact` are what the reference and the student in fp32 answer to the same rows.
    """

    def __init__(self, scorer: Scorer, rows: JudgedRows, reference: Served, exact: Served) -> None:
        self._scorer, self._truth = scorer, rows.truth
        self._reference, self._exact = reference, exact
        held = [part for part in scorer.select(rows) if part.margin is not None]
        self.slices = tuple(part for part in held if part.rows.any())
        """Slices that no operator may cost more than their margin."""
        self.without_rows = tuple(part.name for part in held if not part.rows.any())
        """Slices with a margin of which there is no row, so that nothing can be restored for them."""
        self.standing: Standing = (
            Margins(np.asarray(rows.truth, np.int64)) if scorer.is_softened else Values(scorer, rows.truth)
        )

    def drop(self, part: SliceRows, outputs: Outputs) -> Drop:
        """Return how much a slice loses against the reference by the outputs [row, output] to all rows."""
        return self._drop(part, self._scorer.serve(Predictions("quantized", outputs)))

    def drop_in_fp32(self, part: SliceRows) -> Drop:
        """Return how much the student in fp32 loses against the reference on a slice."""
        return self._drop(part, self._exact)

    def _drop(self, part: SliceRows, served: Served) -> Drop:
        wanted, got = (part.values(answers, self._truth) for answers in (self._reference, served))
        return paired_drop("reference", wanted, got)


class Margins:
    """Where the answer is the likeliest of several outputs: by how much the true one leads.

    That is one number per row, `truth` being the index of the right output: its logit less the best other
    one. An answer is worth a hit where it is above 0.
    """

    def __init__(self, truth: npt.NDArray[np.int64]) -> None:
        self._truth = truth

    def follow(self, outputs: torch.Tensor, examples: npt.NDArray[np.int64]) -> torch.Tensor:
        """Return the margins of these rows [row, 1], to be differentiated."""
        import torch

        truth = torch.from_numpy(self._truth[examples])[:, None]
        own = outputs.gather(1, truth)[:, 0]
        return (own - outputs.scatter(1, truth, -torch.inf).amax(1))[:, None]

    def stand(self, outputs: Outputs) -> Outputs:
        """Return the margin of each row [row, 1]."""
        rows = np.arange(len(self._truth))
        others = outputs.copy()
        others[rows, self._truth] = -np.inf
        return np.asarray(outputs[rows, self._truth] - others.max(1), np.float32)[:, None]

    def value(self, part: SliceRows, standing: Outputs, noise: float) -> float:
        """Return the expected hits where margins are known up to some noise (logistic with that scale)."""
        return float((1 / (1 + np.exp(-np.clip(standing[part.rows] / noise, -30, 30)))).sum())


class Values:
    """Any other answer stands where its outputs stand, and is worth what the task's scorer says.

    A value can be a step (a score is within a tenth, or it is not; two candidates change places), so that it
    is averaged over draws of what is not known of the outputs: normal, and the same ones for every choice.
    """

    def __init__(self, scorer: Scorer, truth: Served) -> None:
        self._scorer, self._truth = scorer, truth

    def follow(self, outputs: torch.Tensor, examples: npt.NDArray[np.int64]) -> torch.Tensor:
        """Return the outputs [example, output] themselves."""
        del examples
        return outputs

    def stand(self, outputs: Outputs) -> Outputs:
        """Return the outputs [row, output], or [row, place], themselves."""
        return outputs

    def value(self, part: SliceRows, standing: Outputs, noise: float) -> float:
        """Return the expected value where outputs are known up to some noise: its standard deviation."""
        rng = np.random.default_rng(0)
        pairs = -(-_DRAWN // (2 * int(part.rows.sum())))
        total = 0.0
        for _ in range(pairs):
            error = np.float32(noise) * rng.standard_normal(standing.shape, np.float32)
            for outputs in (standing + error, standing - error):
                served = self._scorer.serve(Predictions("predicted", outputs))
                total += float(part.values(served, self._truth).sum())
        return total / (2 * pairs)
