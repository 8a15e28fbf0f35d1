"""A slice of the test rows: which rows, which metric, and what is good enough."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from edgekd.config.base import Frozen


class Slice(Frozen):
    """A named part of the test rows, and how it is judged: by the task's metric, unless it names another."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name in every table."""
    where: str = "true"
    """SQL predicate over the data's columns."""
    metric: str | None = None
    """How each row is judged, where the task has several metrics; absent means its first."""
    recall_of: tuple[str, ...] = ()
    """Judge the recall of these classes, each class on its own."""
    precision_of: tuple[str, ...] = ()
    """Judge the precision of these classes, each class on its own."""
    false_alarm_of: tuple[str, ...] = ()
    """Judge the share of the rows outside these classes that are called one of them."""
    together: bool = False
    """With `recall_of` or `precision_of`: judge the classes taken together, too, where one called another
    of them counts as right."""
    tier: Literal["prove", "watch"] = "watch"
    """`prove`: must be shown within the margin and above the floor; `watch`: fails on proven harm only."""
    margin: float | None = Field(None, gt=0, le=100)
    """Largest drop against the teacher that is good enough, in percentage points."""
    at_least: float | None = Field(None, gt=0, lt=100)
    """Floor: least value of the metric itself, in points, however good or bad the teacher is."""
    class_at_least: float | None = Field(None, gt=0, lt=100)
    """Floor of each class on its own, where `together` has another in `at_least`."""
    above: Mapping[str, Annotated[float, Field(ge=-100, lt=100)]] | None = None
    """By how many points the value must exceed that of a baseline which comes with the rows, by its name;
    absent means what the task asks of its slices, `{}` nothing."""
    at_most: float | None = Field(None, gt=0, lt=100)
    """Largest share of false alarms that is good enough, in points."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that the metric is of; none where it is of every row."""
        return self.recall_of or self.precision_of or self.false_alarm_of

    @property
    def sought(self) -> tuple[str, ...]:
        """The classes whose rows are to be found, each as its own; none where it asks for something else."""
        return self.recall_of

    @property
    def of_classes(self) -> Literal["recall", "precision", "false_alarm"] | None:
        """Name of the metric of classes that it asks for; None where it names no class."""
        if self.recall_of:
            return "recall"
        if self.precision_of:
            return "precision"
        return "false_alarm" if self.false_alarm_of else None

    @model_validator(mode="after")
    def _limits_fit_the_metric(self) -> Slice:
        if sum(bool(names) for names in (self.recall_of, self.precision_of, self.false_alarm_of)) > 1:
            raise ValueError("give one of recall_of, precision_of and false_alarm_of; use a slice for each")
        if self.metric is not None and self.classes:
            raise ValueError("metric is of every row; use a slice of its own for classes")
        if self.together and (len(self.classes) < 2 or self.false_alarm_of):
            raise ValueError("together needs recall_of or precision_of with at least two classes")
        if self.class_at_least is not None and not self.together:
            raise ValueError("class_at_least needs together: true; without it at_least is each class's floor")
        if self.of_classes == "false_alarm":
            if self.at_least is not None:
                raise ValueError("false_alarm_of has a largest value: give at_most, not at_least")
            if self.at_most is None and self.margin is None:
                raise ValueError("false_alarm_of needs at_most, a margin against the teacher, or both")
            return self
        if self.at_most is not None:
            raise ValueError("at_most is for false_alarm_of; give at_least, the floor")
        if self.of_classes == "precision":
            if self.margin is not None:
                raise ValueError("precision_of has no margin, as models differ in the rows; give at_least")
            if self.at_least is None:
                raise ValueError("precision_of needs at_least, the floor")
        elif self.margin is None:
            raise ValueError("margin is missing: the largest drop against the teacher, in points")
        return self
