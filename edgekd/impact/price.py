"""What a thousand answers cost on a target."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from edgekd.config import Hardware, Price

PerCall = Float[np.ndarray, "call"]
"""Milliseconds of each call."""


def cost_per_1000_usd(call_ms: PerCall, price: Price, hardware: Hardware) -> float:
    """Price a thousand answers, each a request of its own on a warm machine that does nothing else.

    By the second: each call is billed for the memory it reserves, rounded up to whole milliseconds, and each
    request at its fee (AWS Lambda pricing, https://aws.amazon.com/lambda/pricing: "rounded up to the nearest
    1 ms"). By the hour: the machine is billed for the time that the calls take, as if it were always busy.

    >>> price = Price(gb_second_usd=0.0000166667, request_usd=0.0000002)
    >>> round(cost_per_1000_usd(np.array([0.4, 1.2]), price, Hardware(arch="x86_64", memory_mib=1024)), 6)
    0.000225
    """
    if price.hour_usd is not None:
        return 1000 * float(np.mean(call_ms)) / 3_600_000 * price.hour_usd
    assert price.gb_second_usd is not None
    billed_seconds = float(np.mean(np.ceil(call_ms))) / 1000
    return 1000 * (billed_seconds * hardware.memory_mib / 1024 * price.gb_second_usd + price.request_usd)
