"""`edgekd plan logging`: how much a policy of logging writes, and what that costs."""

from __future__ import annotations

from dataclasses import asdict

from edgekd.cli.outcome import Outcome
from edgekd.errors import BadInputError
from edgekd.impact.log_volume import DAYS, LogMode, Units, log_volume


def plan_logging(
    requests_per_day: float,
    sizes: tuple[float, float, float],
    shares: tuple[float, float],
    usd_per_tb: float,
    units: Units,
) -> Outcome:
    """Count what is written a day.

    Args:
        requests_per_day: All requests.
        sizes: Bytes of a compact, a full and a forensic row.
        shares: Of requests that are kept in full, and forensically; the others are compact.
        usd_per_tb: Price of keeping a TB for a month.
        units: How bytes are added up.
    """
    full, forensic = shares
    if full + forensic > 1:
        raise BadInputError(
            f"--full-share and --forensic-share add up to {full + forensic:g}; expected at most 1"
        )
    names = ("compact", "full", "forensic")
    parts = (1 - full - forensic, full, forensic)
    modes = [LogMode(name, part, size) for name, part, size in zip(names, parts, sizes, strict=True)]
    volume = log_volume(requests_per_day, modes, usd_per_tb, units)
    by_mode = ", ".join(
        f"{mode.name} {mode.share:.2%} of requests, {volume.bytes_per_day[mode.name] / 1e9:,.1f} GB"
        for mode in modes
    )
    unit = "GiB, taken for GB in what follows" if units == "gib-as-gb" else "GB (10^9 bytes)"
    lines = (
        f"a day: {volume.gb_per_day:,.1f} {unit}: {by_mode}",
        f"{DAYS} days: {volume.tb_per_month:,.1f} TB, ${volume.usd_per_month:,.0f} to keep for a month",
    )
    return Outcome(lines, {**asdict(volume), "units": units, "days": DAYS})
