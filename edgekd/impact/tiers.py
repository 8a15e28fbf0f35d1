"""What a function costs and takes at each memory size that the platform offers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgekd.config import Target
from edgekd.impact.price import cost_per_1000_usd


@dataclass(frozen=True)
class Tier:
    """One memory size: raw figures, from which the table is derived.

    Attributes:
        problem: why it does not serve; empty if it does.
        init_ms: of each start, from the process's start to the first request for an event.
        first_ms: of each start, its first answer.
        call_ms: of warm calls on the last start.
        peak_rss_bytes: the most that a function held.
    """

    memory_mib: int
    problem: str
    init_ms: tuple[float, ...] = ()
    first_ms: tuple[float, ...] = ()
    call_ms: tuple[float, ...] = ()
    peak_rss_bytes: int = 0

    def percentile(self, q: float) -> float:
        """Return a percentile of the warm calls, in milliseconds."""
        return float(np.percentile(self.call_ms, 100 * q))

    @property
    def cold_start_ms(self) -> float:
        """The median start with its first answer."""
        return float(np.median(np.add(self.init_ms, self.first_ms)))

    def cost_usd(self, target: Target) -> float | None:
        """Price a thousand warm answers; None where the target has no price."""
        if target.price is None:
            return None
        hardware = target.hardware.model_copy(update={"memory_mib": self.memory_mib})
        return cost_per_1000_usd(np.array(self.call_ms), target.price, hardware)

    def cold_cost_usd(self, target: Target) -> float | None:
        """Price a thousand starts: since August 2025 the platform bills their init too."""
        if target.price is None:
            return None
        hardware = target.hardware.model_copy(update={"memory_mib": self.memory_mib})
        return cost_per_1000_usd(np.add(self.init_ms, self.first_ms), target.price, hardware)


def choose_tier(tiers: Sequence[Tier], target: Target) -> Tier | None:
    """Return the cheapest tier that answers within the target's p95 limit; of equals the smallest."""
    limit = target.limits.p95_ms
    fit = [t for t in tiers if not t.problem and (limit is None or t.percentile(0.95) <= limit)]
    return min(fit, key=lambda tier: (tier.cost_usd(target) or 0.0, tier.memory_mib), default=None)
