"""Slices as the report shows them: under the slice that they belong to, with their limits in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgekd.report.slices import SliceRow, SliceValue
from edgekd.report.view import TargetReport
from edgekd.words import name_figure


@dataclass(frozen=True)
class Line:
    """A row of the table of slices: a heading without figures, or a slice, indented where it is a class's."""

    label: str
    part: SliceRow | None
    is_inner: bool = False


@dataclass(frozen=True)
class LowestFloor:
    """The slice of a variant that lies nearest to its floor, or furthest below it; shares."""

    slice: str
    value: float
    bound: float
    floor: float
    is_watched: bool

    @property
    def words(self) -> str:
        """Print it, e.g. `dispute_unauthorised 93.4 % [91.2] of 90`."""
        end = ", watched" if self.is_watched else ""
        return (
            f"{self.slice} {100 * self.value:.1f} % [{100 * self.bound:.1f}] of {100 * self.floor:.4g}{end}"
        )


def lowest_floor(target: TargetReport) -> LowestFloor | None:
    """Find the floor of the promoted variant that the one-sided 95 % lower bound exceeds least.

    Largest shares of false alarms are no floors; they stand in the table of slices.
    """
    found = [
        LowestFloor(part.name, value.value.estimate, value.bound, part.at_least, part.tier == "watch")
        for part in target.slices
        if part.at_least is not None
        and (value := part.of(target.promoted or "")) is not None
        and value.bound is not None
    ]
    return min(found, key=lambda entry: (entry.bound - entry.floor, entry.slice), default=None)


def grouped(slices: Sequence[SliceRow]) -> Iterator[Line]:
    """Put the classes of a slice under it; a slice that is not judged as a whole becomes a heading."""
    heading = ""
    for part in slices:
        family, _, name = part.name.partition(":")
        if name and family != heading:
            yield Line(family, None)
        heading = family
        yield Line(name or family, part, bool(name))


def print_limits(part: SliceRow) -> str:
    """Print a slice's floor, or its largest share of false alarms, and the baselines that it must exceed."""
    limits = list(part.above)
    if part.at_most is not None:
        limits.insert(0, f"at most {100 * part.at_most:.4g} %")
    if part.at_least is not None:
        limits.insert(0, f"at least {100 * part.at_least:.4g} %")
    return ", ".join(limits)


def print_metric(part: SliceRow) -> str:
    """Print the metric, and which rows it counts where these are not all rows of the slice."""
    rows = {"all": "", "traffic": ", on traffic rows", "weighted": ", rows weighted as in traffic"}
    left_out = f", without {part.left_out:,} to which every answer is as good" if part.left_out else ""
    return name_figure(part.metric) + rows[part.sampling] + left_out


def print_bound(part: SliceRow, value: SliceValue) -> str:
    """Print the one-sided 95 % bound that a floor or a limit on false alarms is judged by."""
    if value.bound is None:
        return ""
    if part.at_most is not None:
        return f"at most {100 * value.bound:.2f}"
    return f"at least {100 * value.bound:.1f}"
