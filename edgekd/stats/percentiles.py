"""Percentiles with intervals, and how many samples a percentile needs.

Sources:
    Conover, Practical Nonparametric Statistics, 3rd ed., section 3.2: a confidence interval for a quantile
    from order statistics, through the binomial distribution. MLPerf LoadGen, `loadgen/early_stopping.cc`:
    the sample count that a tail percentile needs. Kalibera and Jones, Rigorous Benchmarking in Reasonable
    Time (ISMM 2013): what varies from process to process is sampled by processes, so the interval is over
    them and not over calls.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Num
from scipy.special import bdtr, bdtrik, stdtrit  # scipy.stats takes a second to import

from edgekd.errors import BadInputError
from edgekd.stats.interval import Interval

# Slow phases of a machine are rare and long: six processes often show none, and say nothing of them. So the
# upper end takes t at a tenth of its tail. Chosen on recorded traces, where equal tails held 82 to 97 %, and
# what they missed lay above; judged on others by bench/coverage.py.
_UPPER_TAIL = 0.1

PerSample = Num[np.ndarray, "sample"]
"""A figure for each sample, in any order."""
PerProcess = Float[np.ndarray, "process"]
"""A figure for each process, in the order of rounds."""


def min_samples(q: float, confidence: float = 0.99) -> int:
    """Count the samples below which percentile `q` (a fraction) is not to be stated.

    MLPerf LoadGen's early stopping: the smallest n for which, with the true percentile at the limit, one
    sample or none would lie beyond it with a probability of at most 1 - `confidence`; that is, the second
    largest sample is an upper bound of the percentile at `confidence`.

    >>> min_samples(0.95), min_samples(0.99), min_samples(0.999)
    (130, 662, 6636)
    """
    _check_fraction("q", q)
    _check_fraction("confidence", confidence)
    tail = 1.0 - max(q, 1.0 - q)  # a low percentile is as scarce as the high one that mirrors it
    low, high = 1, 2
    while bdtr(1, high, tail) > 1.0 - confidence:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if bdtr(1, middle, tail) > 1.0 - confidence:
            low = middle
        else:
            high = middle
    return high


def order_statistic_interval(samples: PerSample, q: float, confidence: float) -> Interval:
    """Bound the percentile `q` by two of the samples, whatever their distribution.

    Assumes independent samples; autocorrelated latencies make it too narrow. An end that no sample can give
    at this confidence is infinite: 5 samples cannot bound a median at 0.95.

    >>> order_statistic_interval(np.arange(1.0, 101.0), 0.5, 0.95)
    Interval(estimate=50.5, low=40.0, high=61.0, confidence=0.95)
    """
    _check_fraction("q", q)
    _check_fraction("confidence", confidence)
    count = len(samples)
    if count == 0:
        raise BadInputError(f"the interval of percentile {q:g} needs samples, got none")
    ordered = np.sort(np.asarray(samples, dtype=np.float64))
    half = (1.0 - confidence) / 2.0
    lower = _binomial_quantile(
        half, count, q
    )  # P(Binomial(count, q) < lower) <= half: 1-based rank, 0 is none
    upper = _binomial_quantile(1.0 - half, count, q) + 1
    return Interval(
        estimate=float(np.quantile(ordered, q)),
        low=float(ordered[lower - 1]) if lower >= 1 else -np.inf,
        high=float(ordered[upper - 1]) if upper <= count else np.inf,
        confidence=confidence,
    )


def pooled_percentile(processes: Sequence[PerSample], q: float, confidence: float) -> Interval | None:
    """Estimate percentile `q` of what several processes would show; positive values only.

    The estimate is the percentile of all samples pooled, never a mean of percentiles. Its ends are Student's
    t over the logarithms of the processes' own percentiles, because what differs between processes does not
    average out within one (Kalibera and Jones, ISMM 2013); above with a tenth of the tail, because latencies
    are skewed. The interval is then widened to hold the order-statistic interval of the pooled samples
    (Conover, section 3.2), which guards against few processes that agree by chance. What it covers on
    recorded traces: bench/coverage.py.

    Returns:
        None with fewer samples than `min_samples` asks for, or fewer than two processes.
    """
    count = sum(map(len, processes))
    if len(processes) < 2 or count < min_samples(q):
        return None
    logs = np.log([np.quantile(values, q) for values in processes])
    below = log_t_half_width(logs, confidence)
    above = log_t_half_width(logs, 1.0 - _UPPER_TAIL * (1.0 - confidence))
    within = order_statistic_interval(np.concatenate(processes), q, confidence)
    if not np.isfinite([within.low, within.high]).all():
        return None
    return Interval(
        estimate=within.estimate,
        low=min(within.low, within.estimate * float(np.exp(-below))),
        high=max(within.high, within.estimate * float(np.exp(above))),
        confidence=confidence,
    )


def log_t_interval(values: PerProcess, confidence: float) -> Interval:
    """Bound the geometric mean of positive values by Student's t on their logarithms.

    Fit for a handful of processes, where a percentile bootstrap covers too little (6 blocks: 85 % for 95 %).

    Raises:
        BadInputError: with fewer than two values, or one that is not positive and finite.

    >>> log_t_interval(np.array([2.0, 2.0, 2.0]), 0.95).high
    2.0
    """
    _check_fraction("confidence", confidence)
    values = np.asarray(values, dtype=np.float64)
    if len(values) < 2:
        raise BadInputError(f"an interval over processes needs at least 2 of them, got {len(values)}")
    if not (np.isfinite(values).all() and (values > 0).all()):
        raise BadInputError(f"an interval on logarithms needs positive finite values, got {values.min():g}")
    logs = np.log(values)
    centre, half = float(np.mean(logs)), log_t_half_width(logs, confidence)
    estimate = float(np.exp(centre)) if half else float(values[0])
    return Interval(estimate, estimate * float(np.exp(-half)), estimate * float(np.exp(half)), confidence)


def log_welch_interval(logs: PerProcess, others: PerProcess, confidence: float) -> Interval:
    """Bound the ratio of two geometric means, from logarithms of two unpaired sets of two or more each.

    Source: Welch, B. L. (1947), The generalization of "Student's" problem when several different population
    variances are involved, Biometrika 34, 28-35.

    >>> same = np.log([2.0, 2.0])
    >>> log_welch_interval(same, same, 0.95).estimate
    1.0
    """
    _check_fraction("confidence", confidence)
    if min(len(logs), len(others)) < 2:
        raise BadInputError(f"two sets of 2 or more are needed, got {len(logs)} and {len(others)}")
    parts = [float(np.var(values, ddof=1)) / len(values) for values in (logs, others)]
    centre, variance = float(np.mean(logs) - np.mean(others)), sum(parts)
    estimate = float(np.exp(centre))
    if not variance:
        return Interval(estimate, estimate, estimate, confidence)
    spread = [part**2 / (len(values) - 1) for part, values in zip(parts, (logs, others), strict=True)]
    freedom = variance**2 / sum(spread)
    half = float(stdtrit(freedom, 0.5 + confidence / 2.0)) * float(np.sqrt(variance))
    return Interval(estimate, estimate * float(np.exp(-half)), estimate * float(np.exp(half)), confidence)


def log_t_half_width(logs: PerProcess, confidence: float) -> float:
    """Return the half-width of Student's t interval of the mean of two or more values."""
    spread = float(np.std(logs, ddof=1)) if np.ptp(logs) else 0.0
    return float(stdtrit(len(logs) - 1, 0.5 + confidence / 2.0)) * spread / float(np.sqrt(len(logs)))


def _binomial_quantile(probability: float, count: int, q: float) -> int:
    """Return the smallest k with P(Binomial(count, q) <= k) >= probability."""
    k = max(0, int(np.ceil(bdtrik(probability, count, q))))
    return k - 1 if k and bdtr(k - 1, count, q) >= probability else k


def _check_fraction(name: str, value: float) -> None:
    if not 0.0 < value < 1.0:
        raise BadInputError(f"{name} must lie between 0 and 1, got {value:g}")
