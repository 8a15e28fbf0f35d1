"""Compare a candidate with its reference on the same rows."""

from __future__ import annotations

import numpy as np

from edgekd.errors import BadInputError, DataError
from edgekd.evaluate.arrays import Values
from edgekd.evaluate.result import Drop
from edgekd.stats.bounded import BoundedMean


def paired_drop(reference: str, wanted: Values, got: Values, confidence: float = 0.95) -> Drop:
    """Estimate how much worse the candidate is on the same rows.

    `wanted` is what the reference reaches on each row, `got` what the candidate does, in the same order;
    `reference` is its name. Booleans are hits and have the score bounds of `paired_drop_bound`. Numbers are
    values from 0 to 1, such as NDCG, and have the bounds of `BoundedMean`, which hold for skewed values and
    are a little wider. A metric that is always 0 or 1 is therefore better given as hits.

    Raises:
        DataError: if the two are not of the same rows, are not of one kind, or a value is out of range.

    >>> paired_drop("teacher", np.array([True, True]), np.array([True, False])).estimate
    0.5
    >>> paired_drop("teacher", np.array([1.0, 0.5]), np.array([0.6, 0.5])).estimate
    0.2
    """
    if wanted.shape != got.shape or wanted.ndim != 1 or wanted.size == 0:
        raise DataError(
            f"drop against {reference}: expected the hits or values of the same examples, "
            f"got {list(wanted.shape)} and {list(got.shape)}"
        )
    if (wanted.dtype == np.bool_) != (got.dtype == np.bool_):
        raise DataError(f"drop against {reference}: got hits of one and values of the other")
    differences = None if got.dtype == np.bool_ else _differences(reference, wanted, got)
    lost, gained, n = int((wanted > got).sum()), int((got > wanted).sum()), len(got)
    estimate = (lost - gained) / n if differences is None else differences.estimate
    return Drop(reference, n, lost, gained, estimate, -1.0, 1.0, confidence, differences).at(confidence)


def _differences(reference: str, wanted: Values, got: Values) -> BoundedMean:
    try:
        for values in (wanted, got):
            BoundedMean.of(values)
    except BadInputError as error:
        raise DataError(f"drop against {reference}: {error}") from None
    return BoundedMean.of(wanted - got, least=-1.0)
