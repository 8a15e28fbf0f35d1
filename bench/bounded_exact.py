"""Exact error rates of the interval for bounded means where rows have one of three values."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from scipy.special import gammaln

from edgekd.stats.end_row import Array, nearest_gap

LEVELS = (0.9, 0.95, 0.99, 0.999)
N = 30
TRIPLES = 2000
SHARES = 300  # sets of shares, for each triple of values


def worst_of_triples() -> str:
    """Say how often the upper bound errs at most, over random triples of values and their shares."""
    rng = np.random.default_rng(0)
    triples = [(a, b, N - a - b) for a in range(N + 1) for b in range(N + 1 - a)]
    counts = np.array(triples, np.float64)
    orders = gammaln(N + 1) - gammaln(counts + 1).sum(1)
    worst: dict[float, tuple[float, str]] = dict.fromkeys(LEVELS, (0.0, ""))
    for _ in range(TRIPLES):
        values = _draw_values(rng)
        shares = np.exp(rng.uniform(np.log(0.002), 0, (SHARES, 3)))
        shares /= shares.sum(1, keepdims=True)
        chances, means = np.exp(orders[:, None] + counts @ np.log(shares).T), shares @ values
        for level in LEVELS:
            high = 1 - nearest_gap(counts, 1 - values, NormalDist().inv_cdf(level))
            errs = ((high[:, None] < means - 1e-12) * chances).sum(0)
            at = int(errs.argmax())
            shown = ", ".join(f"{v:g} ({s:.1%})" for v, s in zip(values, shares[at], strict=True))
            worst[level] = max(worst[level], (float(errs[at]), shown))
    text = (
        f"{N} rows, each with one of three values: every count is enumerated, so error rates are exact. The "
        f"worst of {TRIPLES:,} random triples of values with {SHARES} random sets of shares each:\n\n"
        "| level | may err | errs most | values (shares) |\n| ---: | ---: | ---: | --- |\n"
    )
    for level, (errs, shown) in worst.items():
        text += f"| {level:.1%} | {1 - level:.1%} | {errs:.3%} | {shown} |\n"
    return text


def _draw_values(rng: np.random.Generator) -> Array:
    """Draw three values, often with one at an end of the range, and often with two close to one another."""
    low = rng.choice([-1, 0])
    values = rng.uniform(low, 1, 3)
    if rng.random() < 0.7:
        values[0] = 1
    if rng.random() < 0.4:
        values[1] = low
    if rng.random() < 0.4:
        values[2] = values[0] - (values[0] - values[1]) * rng.choice([0.02, 0.05, 0.1, 0.2, 0.8, 0.9, 0.95])
    return np.asarray(values.round(3))
