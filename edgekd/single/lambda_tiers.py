"""Run a Lambda bundle under the platform's memory tiers: does it answer, how fast, at what cost."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edgekd.bundle.kinds.lambda_zip import PYTHON
from edgekd.config import Target
from edgekd.emulate.lambda_function import MIB_PER_VCPU, LambdaFunction, Place, start_function
from edgekd.emulate.lambda_place import prepare_place, unpack_function
from edgekd.errors import MeasurementError
from edgekd.impact.tiers import Tier
from edgekd.progress import Progress, silent
from edgekd.serving.request import describe_request

TIERS_MIB = (128, 192, 256, 512, 1024, MIB_PER_VCPU)
STARTS, CALLS = 10, 300
_WARM_UP = 20


def run_tiers(
    bundle: Path,
    target: Target,
    texts: Sequence[str],
    tiers_mib: Sequence[int] = TIERS_MIB,
    starts: int = STARTS,
    calls: int = CALLS,
    progress: Progress = silent,
) -> list[Tier]:
    """Start the bundle's function anew `starts` times a tier and call it; tiers take turns.

    Raises:
        MeasurementError: memory or processor cannot be limited here as the platform does it.
    """
    place = prepare_place(target.hardware.arch, PYTHON)
    if place.limit is None:
        raise MeasurementError("memory cannot be limited here by a cgroup, so tiers cannot be told apart")
    events = [json.dumps(describe_request(text)).encode() for text in texts]
    found = {tier: Tier(tier, "") for tier in tiers_mib}
    with tempfile.TemporaryDirectory() as temporary:
        unpack_function(bundle / "function.zip", Path(temporary))
        for turn in range(starts):
            for place_in_turn, tier in enumerate(tiers_mib):
                progress((turn + place_in_turn / len(tiers_mib)) / starts, f"{tier} MiB")
                if not found[tier].problem:
                    timed = calls if turn == starts - 1 else 0
                    found[tier] = _start_once(Path(temporary), place, found[tier], events, timed)
    return list(found.values())


def _start_once(root: Path, place: Place, tier: Tier, events: Sequence[bytes], calls: int) -> Tier:
    with start_function(root, tier.memory_mib, place) as function:
        if not function.has_quota:
            raise MeasurementError(
                "the share of a processor cannot be limited here (cgroup v1's cpu controller is needed), so "
                "times would be of a whole one at every tier"
            )
        first = function.invoke(events[0])
        if function.problem or first is None or function.init_ns is None:
            return Tier(tier.memory_mib, function.problem or "no answer")
        taken = _call(function, events, calls) if calls else ()
        if taken is None:
            return Tier(tier.memory_mib, function.problem)
        return Tier(
            tier.memory_mib,
            "",
            (*tier.init_ms, function.init_ns / 1e6),
            (*tier.first_ms, first.ns / 1e6),
            taken or tier.call_ms,
            max(tier.peak_rss_bytes, function.peak_resident_bytes),
        )


def _call(function: LambdaFunction, events: Sequence[bytes], calls: int) -> tuple[float, ...] | None:
    taken = []
    for turn in range(_WARM_UP + calls):
        answered = function.invoke(events[turn % len(events)])
        if answered is None:
            return None
        if answered.is_error:
            raise MeasurementError(f"the function answered an error: {answered.body[:200]!r}")
        taken.append(answered.ns / 1e6)
    return tuple(taken[_WARM_UP:])
