"""Rates as counts a day: what half a point means where many people ask."""

from __future__ import annotations

from edgekd.errors import BadInputError


def per_day(rate: float, requests_per_day: float, *, slice_share: float = 1.0) -> float:
    """Return how many requests a day a rate concerns; `slice_share` is the slice's share of the requests.

    >>> round(per_day(0.015, 50_000_000))
    750000
    >>> round(per_day(0.10, 50_000_000, slice_share=0.08))
    400000
    """
    for name, share in (("rate", rate), ("slice share", slice_share)):
        _check_share(name, share)
    _check_requests(requests_per_day)
    return rate * slice_share * requests_per_day


def extra_per_day(before: float, after: float, requests_per_day: float, *, slice_share: float = 1.0) -> float:
    """Return how many more a day a change of rate makes; negative where it makes fewer.

    >>> round(extra_per_day(0.95, 0.82, 50_000_000, slice_share=0.02))
    -130000
    """
    new = per_day(after, requests_per_day, slice_share=slice_share)
    return new - per_day(before, requests_per_day, slice_share=slice_share)


def sample_share(sample: int, requests_per_day: float) -> float:
    """Return the share of a day's requests that a sample sees.

    >>> sample_share(25_000, 50_000_000)
    0.0005
    """
    _check_requests(requests_per_day)
    if not 0 <= sample <= requests_per_day:
        raise BadInputError(
            f"a sample must be 0 to {requests_per_day:,.0f}, a day's requests, got {sample:,}"
        )
    return sample / requests_per_day


def relative_loss(quality_from: float, quality_to: float, loss_per_point: float) -> float:
    """Return the share of the business that a fall of quality costs, if each point costs so much.

    `loss_per_point` is the share lost for every 0.01 of quality, as an experiment found it; nothing
    says that it holds far from where it was found.

    >>> round(relative_loss(0.88, 0.76, 0.003), 4)
    0.036
    """
    return (quality_from - quality_to) / 0.01 * loss_per_point


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise BadInputError(f"{name}: expected a share from 0 to 1, got {value:g}")


def _check_requests(value: float) -> None:
    if not 0 < value < float("inf"):
        raise BadInputError(f"requests a day: expected more than 0, got {value:g}")
