"""Which size of student a budget of latency and cost affords."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekd.errors import BadInputError


@dataclass(frozen=True)
class Size:
    """One size of student, as measured; quality is a share, NDCG@10 or accuracy."""

    params_millions: float
    quality: float
    p95_ms: float
    usd_per_1k: float


@dataclass(frozen=True)
class Affordable:
    """Sizes within the limits, the best first, and the one to take; None where no size fits."""

    choice: Size | None
    fitting: tuple[Size, ...]
    reason: str


def choose_size(
    sizes: Sequence[Size],
    *,
    p95_ms: float | None = None,
    usd_per_1k: float | None = None,
    least_quality: float | None = None,
) -> Affordable:
    """Choose the cheapest size within the limits; without a least quality, the best one.

    >>> table = [Size(120, 0.92, 32, 0.18), Size(40, 0.88, 18, 0.09), Size(10, 0.76, 9, 0.05)]
    >>> choose_size(table, p95_ms=20, least_quality=0.85).choice
    Size(params_millions=40, quality=0.88, p95_ms=18, usd_per_1k=0.09)
    """
    if not sizes:
        raise BadInputError("expected at least one size of student, got none")
    fitting = [
        size
        for size in sizes
        if (p95_ms is None or size.p95_ms <= p95_ms)
        and (usd_per_1k is None or size.usd_per_1k <= usd_per_1k)
        and (least_quality is None or size.quality >= least_quality)
    ]
    if not fitting:
        return Affordable(None, (), "no size holds all limits; raise one, or train another size")
    if least_quality is None:
        fitting.sort(key=lambda size: (-size.quality, size.usd_per_1k))
        reason = "the best quality within the limits"
    else:
        fitting.sort(key=lambda size: (size.usd_per_1k, -size.quality))
        reason = "the cheapest within the limits"
    return Affordable(fitting[0], tuple(fitting), reason)
