"""How good a student gets with more rows, told from short trainings, with an interval.

A drop is taken to fall as a power law towards a level of its own:

    drop(n) = last - share * (last - LEAST) * (1 - (n / n_last) ** -pace)

Source of the form: Domhan, T. et al. (2015), Speeding up automatic hyperparameter optimization by
extrapolation of learning curves, IJCAI (their pow3). What is not known is summed over instead of fitted,
because two or three points fit many curves: all paces and shares of a grid, each weighed by how well it
explains the points. `last` enters linearly, so that it is summed over exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from edgekd.sizing.budget import CONFIDENCE, Guess

_LEAST = -1.0  # points: no student is expected to exceed its teacher by more
_PACES = np.geomspace(0.2, 2.0, 16)
_SHARES = np.linspace(0.0, 1.0, 11)
_MISFIT = 0.25
"""Standard deviation of what is added to the points that are there, as a share of it: real curves are no
power laws."""
_SHARED = 0.5
"""How much the paces of other students count: less than their own, because families differ."""
_LEAST_ERROR = 0.05  # points


@dataclass(frozen=True)
class Rated:
    """What one rung of a student reached: its drop against the teacher and the standard error, in points."""

    rows_seen: int
    drop: float
    error: float


@dataclass(frozen=True, eq=False)
class _Explained:
    """How well each pace [pace, 1] and share [1, share] explains a curve, and `last` given both."""

    weight: npt.NDArray[np.float64]
    last: npt.NDArray[np.float64]
    variance: npt.NDArray[np.float64]


def extrapolate(curves: Mapping[str, Sequence[Rated]], rows: int) -> dict[str, Guess]:
    """Predict the drop of each student after so many rows, in points, with its interval at 90 %.

    `curves` holds what each student reached, by name, with one entry at least. How fast the others learn is
    of use for one that has been seen once. An interval is never narrower than the last point's own, because
    all points of a student are of the same validation rows.
    """
    known = {name: sorted(points, key=lambda point: point.rows_seen) for name, points in curves.items()}
    explained = {name: _explain(points) for name, points in known.items()}
    paces = {name: _log_sum(found.weight) for name, found in explained.items() if len(known[name]) > 1}
    total = sum(paces.values(), np.zeros(len(_PACES)))
    guesses = {}
    for name, points in known.items():
        others = _SHARED * (total - paces.get(name, np.zeros(len(_PACES))))
        guesses[name] = _predict(points[-1], explained[name], others, rows)
    return guesses


def _explain(points: Sequence[Rated]) -> _Explained:
    """Sum over `last` for every pace and share; it is as likely as any other before the points are seen."""
    shape = len(_PACES), len(_SHARES)
    precision, weighted, squares = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for point in points:
        slope, offset = _line(point.rows_seen / points[-1].rows_seen)
        sure = 1 / max(point.error, _LEAST_ERROR) ** 2
        seen = point.drop - offset
        precision = precision + sure * slope**2
        weighted = weighted + sure * slope * seen
        squares = squares + sure * seen**2
    last = weighted / precision
    return _Explained(-0.5 * (squares - weighted * last) - 0.5 * np.log(precision), last, 1 / precision)


def _line(times: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return slope and offset [pace, share] by which `last` gives the drop after so many times its rows."""
    gone = _SHARES[None, :] * (1 - times ** -_PACES[:, None])
    return 1 - gone, gone * _LEAST


def _log_sum(weight: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Sum weights given as logarithms over the shares, [pace]; the largest becomes 0."""
    top = weight.max()
    found: npt.NDArray[np.float64] = np.log(np.exp(weight - top).sum(axis=1))
    found -= found.max()
    return found


def _predict(point: Rated, found: _Explained, paces: npt.NDArray[np.float64], rows: int) -> Guess:
    slope, offset = _line(max(1.0, rows / point.rows_seen))
    middle = slope * found.last + offset
    spread = np.sqrt(
        np.maximum(slope**2 * found.variance, point.error**2) + (_MISFIT * (middle - found.last)) ** 2
    )
    logs = found.weight + paces[:, None]
    weights = np.exp(logs - logs.max())
    steps = np.array([NormalDist().inv_cdf((place + 0.5) / 25) for place in range(25)])
    values = (middle[..., None] + spread[..., None] * steps).ravel()
    shares = np.repeat(weights.ravel(), len(steps))
    order = np.argsort(values)
    reached = np.cumsum(shares[order]) / shares.sum()
    tail = (1 - CONFIDENCE) / 2
    low, value, high = (float(values[order][np.searchsorted(reached, q)]) for q in (tail, 0.5, 1 - tail))
    return Guess(value, low, high)
