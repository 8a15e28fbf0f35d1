"""A Lambda bundle's memory tiers, for the terminal and for a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgekd.config import Target
from edgekd.impact.tiers import Tier
from edgekd.units import format_ms


def tier_lines(tiers: Sequence[Tier], chosen: Tier | None, target: Target) -> Iterator[str]:
    """Yield a line a tier, and which is the cheapest that holds the limit."""
    for tier in tiers:
        if tier.problem:
            yield f"{tier.memory_mib:5} MiB  {tier.problem}"
            continue
        cost = tier.cost_usd(target)
        yield (
            f"{tier.memory_mib:5} MiB  p50 {format_ms(tier.percentile(0.5))}  "
            f"p95 {format_ms(tier.percentile(0.95))}  cold start {format_ms(tier.cold_start_ms)}  "
            f"memory {tier.peak_rss_bytes >> 20} MiB" + ("" if cost is None else f"  ${cost:.6f} per 1,000")
        )
    limit = target.limits.p95_ms
    bound = "" if limit is None else f" with p95 within {format_ms(limit)}"
    words = "none" if chosen is None else f"{chosen.memory_mib} MiB"
    yield f"the cheapest that answers{bound}: {words}"


def tier_table(tiers: Sequence[Tier], target: Target) -> Iterator[str]:
    """Yield the rows of a Markdown table."""
    yield "| MiB | p50 | p95 | cold start, median | most memory, MiB | 1,000 warm | 1,000 cold |"
    yield "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for tier in tiers:
        if tier.problem:
            yield f"| {tier.memory_mib:,} | {tier.problem} | | | | | |"
            continue
        costs = [tier.cost_usd(target), tier.cold_cost_usd(target)]
        shown = " | ".join("" if cost is None else f"${cost:.6f}" for cost in costs)
        yield (
            f"| {tier.memory_mib:,} | {format_ms(tier.percentile(0.5))} | {format_ms(tier.percentile(0.95))} "
            f"| {format_ms(tier.cold_start_ms)} | {tier.peak_rss_bytes / 2**20:.0f} | {shown} |"
        )
