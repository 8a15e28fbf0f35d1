"""One function a gate; each reads the pessimistic end of an interval and says why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from edgekd.evaluate.agreement import Ported, rows_to_agree
from edgekd.evaluate.result import Drop, SliceResult
from edgekd.gate.above import check_above
from edgekd.gate.check import Check
from edgekd.gate.floors import check_floor
from edgekd.stats.interval import Interval
from edgekd.units import MIB, format_bytes, format_ms, format_points

# Share of answers that another instruction set must give alike, by its lower bound.
_SAME = 0.99


def check_slices(results: Sequence[SliceResult], reference: str = "teacher") -> tuple[Check, ...]:
    """Judge slices by their tiers: drops by their margins, values by their floors and by baselines.

    All proofs must succeed, so each is at 95 %. Of any slice harm could be claimed by chance, so these claims
    share the 5 %.
    """
    of = max(1, sum(result.claims for result in results if result.n > 0))
    return tuple(check for result in results for check in _check_slice(result, reference, of))


def _check_slice(result: SliceResult, reference: str, of: int) -> Iterator[Check]:
    if result.margin is not None:
        check = check_proven if result.tier == "prove" else check_watched
        yield check(result, reference, of)
    if result.floor is not None:
        yield check_floor(result, of)
    for above in result.above:
        yield check_above(result, above, of)


def check_proven(result: SliceResult, reference: str = "teacher", of: int = 1) -> Check:
    """Ask for proof that the drop is within the margin.

    Passes if the upper one-sided bound of the drop is at most the margin, fails on proven harm as
    `check_watched` does, and is inconclusive between: then it says how many more rows would
    decide at the observed rates, and whether the estimate itself is already beyond the margin.
    """
    margin = _margin(result)
    name, limit = f"quality {result.name}", _points(margin)
    drop = result.drop_from(reference)
    if result.n == 0:
        reason = "no row to prove it on: no test row is in this slice; widen it or add rows"
        return Check(name, "inconclusive", "no rows", limit, reason)
    if drop is None:
        return _uncompared(name, limit, reference)
    bound = f"{100 * drop.confidence:g} % bound {_points(drop.high)}"
    if drop.high <= margin:
        return Check(name, "pass", _found(drop), limit, f"{bound} is within the margin")
    harm = _shared(drop, of)
    if harm.low > margin:
        return Check(name, "fail", _found(harm), limit, _harm(harm))
    return Check(
        name, "inconclusive", _found(drop), limit, f"{bound} exceeds the margin; {_rows(drop, margin)}"
    )


def check_watched(result: SliceResult, reference: str = "teacher", of: int = 1) -> Check:
    """Fail only on proven harm: a lower one-sided bound of the drop above the margin.

    Where `of` slices are judged, the bound is at 1 - 5 % / `of` (Bonferroni): the chance that harm is
    claimed of any of them without a drop beyond its margin is at most 5 %.
    """
    margin = _margin(result)
    name, limit = f"quality {result.name}", _points(margin)
    drop = result.drop_from(reference)
    if result.n == 0:
        return Check(name, "pass", "no rows", limit, "watched, but no test row is in this slice")
    if drop is None:
        return _uncompared(name, limit, reference)
    drop = _shared(drop, of)
    if drop.low > margin:
        return Check(name, "fail", _found(drop), limit, _harm(drop))
    if drop.estimate > margin:
        reason = f"the drop exceeds the margin, but with {drop.n:,} rows that is not proven"
        return Check(name, "warning", _found(drop), limit, reason)
    return Check(name, "pass", _found(drop), limit, "no harm beyond the margin is proven")


def check_ported(ported: Ported) -> Check:
    """Ask for proof that another instruction set gives the same answer at least 99 times of 100.

    Where the weights show that nothing can saturate there, that is the proof, and no rows are needed.
    """
    name, limit = f"answers on {ported.isa}", "99 % of them the same"
    if ported.proof is not None:
        proof = ported.proof
        shown = f"{proof.products} products of whole numbers, none can saturate"
        largest = f"no input makes a 16-bit sum above {proof.largest:,} of {proof.limit:,}"
        reason = f"proven from the weights, for saturation alone: {largest}"
        return Check(name, "pass", shown, "nothing saturates", reason)
    found = ported.agreement
    if found is None:
        return _unmeasured(name, limit, ported.problem)
    shown = f"{found.agreeing:,} of {found.n:,} the same"
    bound = f"lower 95 % bound {100 * found.low:.2f} %"
    if found.low >= _SAME:
        return Check(name, "pass", shown, limit, f"{bound} is enough")
    flips = "; ".join(f"{one.row}: {one.here}, there {one.there}" for one in found.flips[:3])
    flips = f"; {flips}" if flips else ""
    if found.agreeing / found.n < _SAME:
        return Check(name, "fail", shown, limit, f"{bound} is too low{flips}")
    flipped = found.n - found.agreeing
    needed = rows_to_agree(flipped, _SAME)
    without = f"with no more than these {flipped} flips" if flipped else "without a flip"
    reason = f"{bound} is too low; {needed:,} rows {without} would decide, {needed - found.n:,} more"
    return Check(name, "inconclusive", shown, limit, f"{reason}{flips}")


def check_p95_ms(found: Interval | None, limit: float, unmeasured: str = "") -> Check:
    """Check the upper end of the 95th percentile of latency; `unmeasured` says why there is none."""
    return _check_time("p95_ms", found, limit, unmeasured, "more rounds")


def check_cold_start_ms(found: Interval | None, limit: float, unmeasured: str = "") -> Check:
    """Check the upper end of the time from process start to the first answer."""
    return _check_time("cold_start_ms", found, limit, unmeasured, "more cold starts")


def check_peak_rss_mib(found_bytes: int | None, limit: float, unmeasured: str = "") -> Check:
    """Check the peak resident memory of the whole process."""
    return _check_size("peak_rss_mib", found_bytes, limit, unmeasured)


def check_artifact_mib(found_bytes: int, limit: float, recipe: str = "") -> Check:
    """Check the size of the artifact folder.

    A build in fp32 that is too large is not eligible rather than failing: it is as large as its weights, and
    is there to be compared with.
    """
    check = _check_size("artifact_mib", found_bytes, limit, "")
    by_design = check.status == "fail" and recipe.startswith("fp32")
    return replace(check, status="not eligible") if by_design else check


def check_bundle_unzipped_mib(found_bytes: int | None, limit: float, unmeasured: str = "") -> Check:
    """Check the size of what the platform deploys."""
    return _check_size("bundle_unzipped_mib", found_bytes, limit, unmeasured)


def _check_time(name: str, found: Interval | None, limit: float, unmeasured: str, more: str) -> Check:
    allowed = format_ms(limit)
    if found is None:
        return _unmeasured(name, allowed, unmeasured)
    shown = f"{format_ms(found.estimate)} ({format_ms(found.low)} to {format_ms(found.high)})"
    if found.high <= limit:
        return Check(name, "pass", shown, allowed, "the upper end is within the limit")
    if found.low > limit:
        return Check(name, "fail", shown, allowed, "the whole interval is above the limit")
    side = "above" if found.estimate > limit else "within"
    reason = f"the interval spans the limit, the estimate is {side} it; {more} would decide"
    return Check(name, "inconclusive", shown, allowed, reason)


def _check_size(name: str, found: int | None, limit: float, unmeasured: str) -> Check:
    allowed = format_bytes(limit * MIB)
    if found is None:
        return _unmeasured(name, allowed, unmeasured)
    if found <= limit * MIB:
        return Check(name, "pass", format_bytes(found), allowed, "within the limit")
    much = f"{format_bytes(found - limit * MIB)} too much"
    return Check(name, "fail", format_bytes(found), allowed, much)


def _unmeasured(name: str, limit: str, why: str) -> Check:
    return Check(name, "not measured", "not measured", limit, why or "no measurement was given")


def _uncompared(name: str, limit: str, reference: str) -> Check:
    reason = f"no predictions of {reference} on these rows; evaluate with that reference"
    return Check(name, "not measured", "not measured", limit, reason)


def _shared(drop: Drop, of: int) -> Drop:
    """Give the drop with bounds that hold for `of` slices at once."""
    return drop.at(1 - (1 - drop.confidence) / of)


def _found(drop: Drop) -> str:
    return f"drop {_points(drop.estimate)}, {_points(drop.low)} to {_points(drop.high)}, n {drop.n:,}"


def _harm(drop: Drop) -> str:
    low = f"{100 * drop.confidence:.4g} % lower bound {_points(drop.low)}"
    return f"proven harm: even the {low} is beyond the margin"


def _rows(drop: Drop, margin: float) -> str:
    """Say how many rows would prove it, or that none would and which margin these rows prove."""
    provable = f"these rows would prove a margin of {_points(drop.high)}"
    if drop.estimate > margin:
        return f"the drop itself exceeds the margin, so more rows would not help; {provable}"
    more = drop.rows_needed(margin)
    if more is None:
        return f"the drop is too near the margin for any number of rows; {provable}"
    return f"about {more:,} more rows would prove it at this rate; {provable}"


def _margin(result: SliceResult) -> float:
    assert result.margin is not None
    return result.margin


def _points(share: float) -> str:
    return f"{format_points(share)} points"
