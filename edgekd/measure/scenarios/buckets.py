"""Latency by length of the text: each bucket of the real histogram apart, and against a reference."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from edgekd.errors import BadInputError
from edgekd.measure.result import BenchResult
from edgekd.measure.samples import Samples, weighted_quantile
from edgekd.stats.interval import Interval
from edgekd.stats.percentiles import log_t_interval, min_samples, pooled_percentile

InputFlags = Bool[np.ndarray, "input"]
"""Whether each input is meant."""

MAX_BUCKETS = 20


@dataclass(frozen=True)
class Bucket:
    """The inputs whose length lies between `shortest` and `longest`, both of which occur."""

    shortest: int
    longest: int
    inputs: int


@dataclass(frozen=True)
class Buckets:
    """Inputs by length.

    Attributes:
        unit: what lengths count.
        buckets: from the shortest inputs to the longest; none is empty.
        numbers: position in `buckets` of each input, in the order of the inputs.
        inputs_sha256: digest of the texts, as a measurement states it.
    """

    unit: str
    buckets: tuple[Bucket, ...]
    numbers: tuple[int, ...]
    inputs_sha256: str

    def members(self, bucket: Bucket) -> InputFlags:
        """Mark the inputs of a bucket."""
        return np.equal(self.numbers, self.buckets.index(bucket))


@dataclass(frozen=True)
class BucketLatency:
    """Latency in one bucket, in ns; ratios are to the reference, above 1 is slower.

    Attributes:
        bucket: None for all inputs together.
        calls: timed calls, over all processes.
        p50: None, as all figures here, with too few calls or processes.
    """

    bucket: Bucket | None
    calls: int
    p50: Interval | None
    p95: Interval | None
    p50_ratio: Interval | None
    p95_ratio: Interval | None


def split_by_length(
    inputs: Sequence[str], lengths: Sequence[int] | None = None, unit: str = "characters", count: int = 4
) -> Buckets:
    """Split inputs at the quantiles of their lengths into buckets of about equally many.

    Equal lengths stay together, so where one length is that of many inputs there are fewer buckets.

    Args:
        inputs: texts in the order in which they are, or were, measured.
        lengths: one for each text, such as its tokens; its characters unless given.
        unit: what `lengths` count.
        count: the most buckets.

    Raises:
        BadInputError: if lengths and inputs do not pair up.

    >>> [bucket.longest for bucket in split_by_length(["a", "bb", "bb", "cccc"], count=2).buckets]
    [2, 4]
    """
    lengths = [len(text) for text in inputs] if lengths is None else list(lengths)
    if not inputs or len(lengths) != len(inputs):
        raise BadInputError(
            f"{len(lengths)} lengths for {len(inputs)} inputs: give one for each, at least one"
        )
    if not 1 <= count <= MAX_BUCKETS:
        raise BadInputError(f"expected 1 to {MAX_BUCKETS} buckets, got {count}")
    counted = np.array(lengths, dtype=np.int64)
    ends = np.unique(np.quantile(counted, np.arange(1, count + 1) / count, method="inverted_cdf"))
    numbers = np.searchsorted(ends, counted)  # a bucket holds the lengths up to its end, that included
    parts = [counted[numbers == number] for number in range(len(ends))]
    return Buckets(
        unit,
        tuple(Bucket(int(part.min()), int(part.max()), len(part)) for part in parts),
        tuple(numbers.tolist()),
        digest_inputs(inputs),
    )


def bucket_latencies(
    result: BenchResult, name: str, buckets: Buckets, reference: str | None = None
) -> tuple[BucketLatency, ...]:
    """Derive a subject's latency in each bucket from its raw samples, all inputs first.

    Ratios compare the two, round by round, on the inputs that both answered, every input weighing the same,
    as `BenchResult.ratio` does; there are none without a reference.

    Raises:
        BadInputError: if the buckets are of other texts, or a name is unknown.
    """
    check_inputs(buckets, result.inputs_sha256)
    everything = np.ones(len(buckets.numbers), dtype=np.bool_)
    parts = [(None, everything), *((bucket, buckets.members(bucket)) for bucket in buckets.buckets)]
    found = []
    for bucket, keep in parts:
        ours = _of_inputs(result, name, keep)
        theirs = None if reference is None else _of_inputs(result, reference, keep)
        found.append(
            BucketLatency(
                bucket,
                calls=sum(map(len, ours)),
                p50=_percentile(result, ours, 0.5),
                p95=_percentile(result, ours, 0.95),
                p50_ratio=None if theirs is None else _ratio(result, ours, theirs, 0.5),
                p95_ratio=None if theirs is None else _ratio(result, ours, theirs, 0.95),
            )
        )
    return tuple(found)


def check_inputs(buckets: Buckets, inputs_sha256: str) -> None:
    """Raise BadInputError where what was measured is not what the buckets split."""
    if buckets.inputs_sha256 != inputs_sha256:
        raise BadInputError(
            f"buckets are of texts {buckets.inputs_sha256[:8]}, measured were {inputs_sha256[:8]}: split the "
            "texts that were measured, in their order"
        )


def digest_inputs(inputs: Sequence[str]) -> str:
    """Digest texts in their order, as `BenchResult.inputs_sha256` does."""
    return hashlib.sha256(json.dumps(list(inputs)).encode()).hexdigest()


def _of_inputs(result: BenchResult, name: str, keep: InputFlags) -> list[Samples]:
    return [samples.of_inputs(keep[samples.inputs]) for samples in result.samples(name)]


def _percentile(result: BenchResult, processes: Sequence[Samples], q: float) -> Interval | None:
    if not all(map(len, processes)):
        return None
    return pooled_percentile([samples.ns for samples in processes], q, result.plan.confidence)


def _ratio(
    result: BenchResult, ours: Sequence[Samples], theirs: Sequence[Samples], q: float
) -> Interval | None:
    ratios = []
    counts = np.zeros(2, dtype=np.int64)
    for one, other in zip(ours, theirs, strict=True):
        shared = one.of_inputs(np.isin(one.inputs, other.inputs))
        others_shared = other.of_inputs(np.isin(other.inputs, one.inputs))
        if not len(shared):
            return None
        ratios.append(weighted_quantile(shared, q) / weighted_quantile(others_shared, q))
        counts += len(shared), len(others_shared)
    if len(ratios) < 2 or counts.min() < min_samples(q):
        return None
    return log_t_interval(np.array(ratios), result.plan.confidence)
