"""Which shapes fit a budget, and by how much the others miss it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from edgekd.config import Target
from edgekd.errors import BadInputError
from edgekd.sizing.budget import LIMITED, Budget, Cost
from edgekd.sizing.shapes import Shape
from edgekd.sizing.work import Encoder, count_numbers, sizes_of


@dataclass(frozen=True)
class Costed:
    """A shape with its cost, and the limit that it is nearest to, or furthest beyond.

    Attributes:
        binding: The figure of that limit; empty without limits.
        over: Predicted figure over its limit, as a share: 0.1 is ten percent too much, -0.1 leaves a tenth.
        is_sure: Whether the upper ends of all intervals are within their limits.
        weights: Numbers that the student holds.
        beyond: The size in which it is larger than all that were measured; empty where there is none.
    """

    shape: Shape
    cost: Cost
    binding: str
    over: float
    is_sure: bool
    weights: int
    beyond: str = ""

    @property
    def fits(self) -> bool:
        """Whether every predicted figure is within its limit."""
        return self.over <= 0


@dataclass(frozen=True)
class Fitting:
    """The students of a space, each as its best build costs.

    Attributes:
        fits: Those within the budget, the largest first.
        misses: The others, the nearest first.
        shapes: Every shape of the space.
        alone: For each limit, how many shapes meet it.
    """

    fits: tuple[Costed, ...]
    misses: tuple[Costed, ...]
    shapes: tuple[Costed, ...]
    alone: Mapping[str, int]

    def explain(self, limits: Mapping[str, float]) -> str:
        """Say why nothing fits: a limit that no shape meets, or limits that none meets together."""
        nearest = self.misses[0]
        figure = nearest.binding
        guess = nearest.cost.of(figure)
        unmet = [name for name, count in self.alone.items() if not count]
        if unmet:
            why = f"no shape has {say(unmet[0])} within {limits[unmet[0]]:g}"
        else:
            met = ", ".join(
                f"{say(name)} {limits[name]:g} by {count:,}" for name, count in self.alone.items()
            )
            why = f"no shape meets all limits together (of {len(self.shapes):,} shapes alone: {met})"
        return (
            f"nothing fits: {why}; nearest is {nearest.shape.name}, where {say(figure)} binds: about "
            f"{guess.value:.3g} ({guess.low:.3g} to {guess.high:.3g}), {nearest.over:.0%} over the limit of "
            f"{limits[figure]:g}"
        )


def say(figure: str) -> str:
    """Return the option that limits a figure, by which people know it."""
    return f"--{figure.replace('_', '-')}"


def join_limits(given: Budget, target: Target) -> Budget:
    """Return a budget with the target's own limits where none is given.

    Raises:
        BadInputError: a limit is looser than the target's own, which the gate holds to, or than its memory.
    """
    joined: dict[str, float | None] = {}
    for name in LIMITED:
        asked, own = getattr(given, name), getattr(target.limits, name)
        if asked is not None and own is not None and asked > own:
            raise BadInputError(
                f"{say(name)} {asked:g}: contradicts target {target.name}, whose limits.{name} is {own:g}; "
                f"the gate holds to that: give at most {own:g}, or change the target's file"
            )
        joined[name] = own if asked is None else asked
    memory, most = target.hardware.memory_mib, joined["peak_rss_mib"]
    if most is not None and most > memory:
        raise BadInputError(
            f"--peak-rss-mib {most:g}: contradicts target {target.name}, which has {memory} MiB of memory; "
            f"give at most {memory}"
        )
    return Budget(**joined, max_drop=given.max_drop)


def fit_budget(
    shapes: Iterable[Shape],
    predict: Callable[[Shape], tuple[Cost, str]],
    count_weights: Callable[[Shape], int],
    limits: Mapping[str, float],
) -> Fitting:
    """Hold the predicted cost of every shape against limits.

    `predict` gives a shape's cost, and in which size it is larger than all that were measured.
    """
    everyone = []
    alone = dict.fromkeys(limits, 0)
    best: dict[str, Costed] = {}
    for shape in shapes:
        cost, beyond = predict(shape)
        shares = {name: cost.of(name).value / limit - 1 for name, limit in limits.items()}
        for name, share in shares.items():
            alone[name] += share <= 0
        binding = max(shares, key=lambda name: shares[name], default="")
        is_sure = all(cost.of(name).high <= limit for name, limit in limits.items())
        found = Costed(shape, cost, binding, shares.get(binding, 0.0), is_sure, count_weights(shape), beyond)
        everyone.append(found)
        known = best.get(shape.model.name)
        if known is None or _rank(found) < _rank(known):
            best[shape.model.name] = found
    fits = sorted((one for one in best.values() if one.fits), key=lambda one: -one.weights)
    misses = sorted((one for one in best.values() if not one.fits), key=lambda one: one.over)
    return Fitting(tuple(fits), tuple(misses), tuple(everyone), alone)


def _rank(costed: Costed) -> tuple[float, float]:
    """Of builds that fit the fastest is the best, of others the one that misses by least."""
    return (max(costed.over, 0.0), costed.cost.p95_ms.value)


def weigh(shape: Shape, encoder: Encoder, rows: int, outputs: int) -> int:
    """Return how many numbers a shape's student holds."""
    found = count_numbers(sizes_of(shape.model, encoder, rows, outputs))
    return round(found["tables"] + found["products"] + found["rest"])
