"""How much a policy of logging writes, and what it costs to keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edgekd.errors import BadInputError

Units = Literal["bytes", "gib-as-gb"]
"""`bytes`: a TB is 10^12 bytes throughout. `gib-as-gb`: KiB and GiB are taken for kB and GB, and the TB of a
month are rounded to a tenth before they are priced, as a sum on paper was made."""
UNITS: tuple[Units, ...] = ("bytes", "gib-as-gb")
DAYS = 30
_GB, _TB, _GIB = 10**9, 10**12, 2**30


@dataclass(frozen=True)
class LogMode:
    """What is written of some requests: their share of all, and the bytes of each."""

    name: str
    share: float
    bytes: float


@dataclass(frozen=True)
class LogVolume:
    """What a policy writes.

    Attributes:
        bytes_per_day: By mode.
        gb_per_day: Of all modes, in the units that were asked for.
        tb_per_month: The same in 30 days.
        usd_per_month: What keeping a month's logs costs.
    """

    bytes_per_day: dict[str, float]
    gb_per_day: float
    tb_per_month: float
    usd_per_month: float


def log_volume(
    requests_per_day: float, modes: Sequence[LogMode], usd_per_tb: float, units: Units = "bytes"
) -> LogVolume:
    """Count what is written of a day's requests, and price a month of it.

    >>> full = [LogMode("full", 1.0, 12_000)]
    >>> volume = log_volume(50_000_000, full, 120)
    >>> volume.gb_per_day, volume.tb_per_month, volume.usd_per_month
    (600.0, 18.0, 2160.0)
    >>> mixed = log_volume(50_000_000, [LogMode("full", 1.0, 12 * 1024)], 120, "gib-as-gb")
    >>> round(mixed.gb_per_day, 1), mixed.tb_per_month, round(mixed.usd_per_month)
    (572.2, 17.2, 2064)

    Raises:
        BadInputError: a share, a size or a price is out of range, or shares add up to more than 1.
    """
    if not requests_per_day > 0 or usd_per_tb < 0:
        raise BadInputError(
            f"expected requests a day > 0 and USD for a TB >= 0, got {requests_per_day:g} and {usd_per_tb:g}"
        )
    for mode in modes:
        if not 0 <= mode.share <= 1 or mode.bytes < 0:
            raise BadInputError(
                f"{mode.name}: expected a share from 0 to 1 and bytes >= 0, got {mode.share:g} and "
                f"{mode.bytes:g}"
            )
    if sum(mode.share for mode in modes) > 1 + 1e-9:
        total = sum(mode.share for mode in modes)
        raise BadInputError(f"shares of the modes add up to {total:g}; expected at most 1")
    by_mode = {mode.name: mode.share * mode.bytes * requests_per_day for mode in modes}
    whole = sum(by_mode.values())
    if units == "gib-as-gb":
        month = round(whole / _GIB * DAYS / 1000, 1)
        return LogVolume(by_mode, whole / _GIB, month, month * usd_per_tb)
    month = whole * DAYS / _TB
    return LogVolume(by_mode, whole / _GB, month, month * usd_per_tb)
