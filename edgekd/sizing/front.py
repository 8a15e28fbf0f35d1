"""The answer of a sizing: what each shape costs and loses, which one is recommended, and why."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgekd.sizing.budget import Budget, Cost
from edgekd.sizing.quality import Quality
from edgekd.sizing.shapes import Shape

TIE = 0.1
"""Points: of shapes that lose so little more than the best one, the fastest is recommended."""
WORTH = 0.1
"""Points that a larger budget must gain to be told of."""
_WIDEST = 2.0
"""Times a limit beyond which a larger budget is no longer slightly larger."""
_MORE_DROP = 0.5  # points
_FASTER = 0.9
UNITS = {"p95_ms": "ms", "peak_rss_mib": "MiB", "artifact_mib": "MiB", "cold_start_ms": "ms"}
UNITS |= {"max_drop": "points"}
WORDS = {"p95_ms": "p95", "peak_rss_mib": "memory", "artifact_mib": "size", "cold_start_ms": "cold start"}
WORDS |= {"max_drop": "drop"}


@dataclass(frozen=True)
class Point:
    """One shape on one target; `measured` says whether its cost was measured or predicted."""

    shape: Shape
    cost: Cost
    quality: Quality
    measured: bool = False

    @property
    def drop(self) -> float:
        """Points that it is thought to lose."""
        return self.quality.drop.value

    def counted(self, budget: Budget) -> dict[str, float]:
        """Return what is held against each limit: a measured figure's high end, or what is predicted.

        What is predicted is measured before it is recommended, and then its high end decides.
        """
        guesses = {name: self.cost.of(name) for name in budget.limits}
        return {name: guess.high if self.measured else guess.value for name, guess in guesses.items()}

    def excess(self, budget: Budget) -> dict[str, float]:
        """Return what is held against the limits that it exceeds."""
        counted = self.counted(budget)
        return {name: counted[name] for name, limit in budget.limits.items() if counted[name] > limit}


@dataclass(frozen=True)
class Opening:
    """What a slightly larger budget would open.

    Attributes:
        figure: The limit that would be larger; `max_drop` for a larger drop.
        more: By how much, in its unit.
        shape: Name of the shape that it opens.
        gain_points: Points that this one loses less than what is recommended; negative where it loses more.
        faster_ms: Milliseconds by which its p95 is smaller; negative where it is larger.
    """

    figure: str
    more: float
    shape: str
    gain_points: float
    faster_ms: float

    @property
    def words(self) -> str:
        """The same in one sentence."""
        more = f"{self.more:.2g} {UNITS[self.figure]} more {WORDS[self.figure]}"
        if self.figure == "max_drop":
            return f"{more} would save {self.faster_ms:.2g} ms of p95 ({self.shape})"
        return f"{more} would gain {self.gain_points:.1f} points ({self.shape})"


@dataclass(frozen=True)
class Binding:
    """The limit that leaves nothing, and the shape that comes nearest: what it has of that figure."""

    figure: str
    limit: float
    nearest: str
    value: float

    @property
    def words(self) -> str:
        """The same in one sentence."""
        unit, what = UNITS[self.figure], WORDS[self.figure]
        return (
            f"no shape holds {what} {self.limit:g} {unit}: {self.nearest} comes nearest with "
            f"{self.value:.3g} {unit}, {self.value - self.limit:.2g} {unit} over it"
        )


@dataclass(frozen=True)
class Front:
    """What a sizing found for one target.

    Attributes:
        target: Its name.
        budget: What was asked.
        points: Every shape whose quality is known.
        recommended: What to train; None where nothing fits.
        runner_up: The next best student; None where there is no other.
        reasons: Why, in whole sentences.
        openings: What a slightly larger budget would open.
        binding: What leaves nothing, where nothing fits.
    """

    target: str
    budget: Budget
    points: tuple[Point, ...]
    recommended: Point | None = None
    runner_up: Point | None = None
    reasons: tuple[str, ...] = ()
    openings: tuple[Opening, ...] = ()
    binding: Binding | None = None

    def best(self, figure: str) -> tuple[Point, ...]:
        """Return the points that no other beats in drop and this figure, the cheapest first."""
        found: list[Point] = []
        for point in sorted(self.points, key=lambda p: (p.cost.of(figure).value, p.drop)):
            if not found or point.drop < found[-1].drop:
                found.append(point)
        return tuple(found)


def make_front(target: str, budget: Budget, points: Sequence[Point]) -> Front:
    """Recommend a shape: the fastest that holds `max_drop`, or where that is not set the best that fits.

    A drop is held surely where the high end of its interval is within `max_drop`, and else likely; a sure one
    is preferred.
    """
    whole = tuple(sorted(points, key=lambda p: (p.cost.p95_ms.value, p.drop, p.shape.name)))
    fitting = [p for p in whole if not p.excess(budget)]
    if not fitting:
        binding = find_binding(budget, [(p.shape.name, p.counted(budget)) for p in whole])
        return Front(target, budget, whole, reasons=(binding.words,) if binding else (), binding=binding)
    ranked = _rank(budget, fitting)
    if not ranked:
        least = min(fitting, key=lambda p: p.drop)
        assert budget.max_drop is not None
        binding = Binding("max_drop", budget.max_drop, least.shape.name, least.drop)
        return Front(
            target,
            budget,
            whole,
            reasons=(binding.words,),
            openings=_find_openings(budget, whole, least),
            binding=binding,
        )
    chosen = ranked[0]
    runner_up = next((p for p in ranked if p.quality.student != chosen.quality.student), None)
    return Front(
        target,
        budget,
        whole,
        chosen,
        runner_up,
        _give_reasons(budget, chosen, runner_up, len(fitting)),
        _find_openings(budget, whole, chosen),
    )


def _rank(budget: Budget, fitting: Sequence[Point]) -> list[Point]:
    """Order what may be recommended; empty where nothing holds the drop."""
    able = [p for p in fitting if p.quality.too_small is None]
    if budget.max_drop is None:
        least = min((p.drop for p in able), default=0.0)
        return sorted(able, key=lambda p: _tied(p, least))
    most = budget.max_drop
    sure = [p for p in able if p.quality.drop.high <= most]
    likely = [p for p in able if p.drop <= most and p not in sure]
    by_time = sorted(sure, key=lambda p: (p.cost.p95_ms.value, p.drop))
    return [*by_time, *sorted(likely, key=lambda p: (p.drop, p.cost.p95_ms.value))]


def _tied(point: Point, least: float) -> tuple[float, float]:
    """Order by drop, those that tie with the best one by time."""
    tied = point.drop <= least + TIE
    return (least if tied else point.drop, point.cost.p95_ms.value)


def find_binding(budget: Budget, counted: Sequence[tuple[str, Mapping[str, float]]]) -> Binding | None:
    """Find the shape whose worst limit is exceeded least, and that limit.

    `counted` has each shape's name, and what of it is held against each limit.
    """
    limits = budget.limits

    def worst(figures: Mapping[str, float]) -> tuple[float, str]:
        return max((figures[name] / limit, name) for name, limit in limits.items())

    if not counted or not limits:
        return None
    shape, figures = min(counted, key=lambda entry: worst(entry[1]))
    name = worst(figures)[1]
    return Binding(name, limits[name], shape, figures[name])


def _give_reasons(budget: Budget, chosen: Point, runner_up: Point | None, fitting: int) -> tuple[str, ...]:
    drop, high, most = chosen.drop, chosen.quality.drop.high, budget.max_drop
    held = ", ".join(
        f"{WORDS[name]} {chosen.cost.of(name).value:.3g} of {limit:g} {UNITS[name]}"
        for name, limit in budget.limits.items()
    )
    reasons = [f"{chosen.shape.name} holds every limit{f' ({held})' if held else ''}."]
    if most is None:
        reasons.append(f"Of {fitting} shapes that fit none is thought to lose over {TIE:g} points less.")
    elif high <= most:
        reasons.append(
            f"It is the fastest that surely loses at most {most:g} points: {drop:.2f}, at most {high:.2f}."
        )
    else:
        reasons.append(
            f"No shape that fits surely loses at most {most:g} points; this one is likeliest to: "
            f"{drop:.2f}, at most {high:.2f}."
        )
    if runner_up is not None:
        reasons.append(
            f"The runner-up, {runner_up.shape.name}, loses {runner_up.drop - drop:+.2f} points and takes "
            f"{runner_up.cost.p95_ms.value - chosen.cost.p95_ms.value:+.3f} ms of p95 beside it."
        )
    return tuple(reasons)


def _find_openings(budget: Budget, points: Sequence[Point], chosen: Point) -> tuple[Opening, ...]:
    """Find, for each limit, the least that it would have to be larger to gain points; and for the drop."""
    found: dict[str, Opening] = {}
    for point in points:
        excess, gain = point.excess(budget), chosen.drop - point.drop
        if len(excess) != 1 or gain < WORTH or point.quality.too_small:
            continue
        ((name, value),) = excess.items()
        more = value - budget.limits[name]
        is_slight = value <= _WIDEST * budget.limits[name]
        if is_slight and (name not in found or more < found[name].more):
            faster = chosen.cost.p95_ms.value - point.cost.p95_ms.value
            found[name] = Opening(name, more, point.shape.name, gain, faster)
    if budget.max_drop is not None and chosen.drop <= budget.max_drop:
        able = [p for p in points if not p.excess(budget) and p.quality.too_small is None]
        able = [p for p in able if budget.max_drop < p.drop <= budget.max_drop + _MORE_DROP]
        quick = min(able, key=lambda p: p.cost.p95_ms.value, default=None)
        own = chosen.cost.p95_ms.value
        if quick is not None and quick.cost.p95_ms.value <= _FASTER * own:
            more = max(0.0, math.ceil(100 * (quick.drop - budget.max_drop)) / 100)
            gain = chosen.drop - quick.drop
            found["max_drop"] = Opening(
                "max_drop", more, quick.shape.name, gain, own - quick.cost.p95_ms.value
            )
    return tuple(found.values())
