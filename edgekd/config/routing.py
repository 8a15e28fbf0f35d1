"""What happens to a message that the student is not sure of."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from edgekd.config.base import Frozen


class Rule(Frozen):
    """Words that decide, whatever the student says."""

    phrase: str = Field(min_length=1)
    """Matched as whole words, in any case and spacing."""
    label: str
    """What is answered."""


class Family(Frozen):
    """Answers with a threshold and a margin of their own."""

    labels: tuple[str, ...] = Field(min_length=1)
    """The classes of the family; no class is in two."""
    max_prob: float | None = Field(None, ge=0, le=1)
    """Least probability of an answer that stands, set by hand; absent: found, or as for all answers."""
    margin: float | None = Field(None, ge=0, le=1)
    """Least distance to the next class, set by hand; absent: found, or as for all answers."""


class Routing(Frozen):
    """When the teacher is asked; thresholds are found on validation rows and travel in the artifact."""

    quality: float = Field(0.5, gt=0, le=100)
    """Largest drop of student and teacher together against the teacher alone, by its bound, in points."""
    max_prob: float | None = Field(None, ge=0, le=1)
    """Least probability of an answer that stands, set by hand; absent: found on validation rows."""
    margin: float | None = Field(None, ge=0, le=1)
    """Least distance to the next class, set by hand; absent: found on validation rows."""
    families: dict[str, Family] = Field(default_factory=dict)
    """Families of classes, by name; each gets a threshold and a margin of its own where it needs one."""
    refuse_as: str | None = None
    """The class of messages that nobody should answer; without it or `low_value` nothing is refused."""
    low_value: tuple[str, ...] = ()
    """Classes whose answers are refused, instead of sent to the teacher, where the student is unsure of them;
    no other answer is refused then."""
    refuse_below: float | None = Field(None, ge=0, le=1)
    """Below which probability an answer is refused, set by hand; absent: found on validation rows."""
    critical: tuple[str, ...] = ()
    """Classes of which the routed system finds as many as the teacher or its margin asks; never refused."""
    slices: tuple[str, ...] = ()
    """Slices that callers know of a message; each gets a threshold of its own where it needs one."""
    thresholds: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)
    """Least probability in some slices, set by hand, by name; callers must be able to tell them."""
    risky: tuple[str, ...] = ()
    """Slices that always go to the teacher."""
    carve_out: tuple[str, ...] = ()
    """Slices that go to the teacher unless validation rows prove them; callers must be able to tell them."""
    carve_to: Literal["teacher", "incumbent"] = "teacher"
    """Who answers what is carved out: the teacher, or what is promoted where validation rows prove that."""
    rules: tuple[Rule, ...] = ()
    """Above the student."""
    teacher_per_1k: float = Field(gt=0, le=1e9)
    """What a thousand messages to the teacher cost, in USD."""
    planned_fallback: float = Field(0.1, ge=0, le=1)
    """Share of messages planned for the teacher; up to it, more go where that keeps limits and margins."""
    billing: Literal["accepted", "cascade"] = "cascade"
    """Whether the student is billed for what it answers alone, or for every message, as each runs it."""

    @model_validator(mode="after")
    def _thresholds_fit(self) -> Routing:
        if self.refuse_below is not None and not (self.refuse_as or self.low_value):
            raise ValueError("refuse_below needs refuse_as, or low_value: what may be refused")
        if None not in (self.refuse_below, self.max_prob) and self.refuse_below > self.max_prob:  # type: ignore[operator]
            raise ValueError("refuse_below is above max_prob, so that nothing would go to the teacher")
        if both := sorted(set(self.low_value) & set(self.critical)):
            raise ValueError(
                f"low_value and critical both name '{both[0]}'; what is critical is never refused"
            )
        seen: dict[str, str] = {}
        for name, family in self.families.items():
            for label in family.labels:
                if label in self.critical:
                    raise ValueError(f"families.{name} names '{label}', which is critical and has its own")
                if label in seen:
                    raise ValueError(f"families.{name} and families.{seen[label]} both name '{label}'")
                seen[label] = name
        if twice := sorted(set(self.thresholds) & {*self.slices, *self.risky}):
            raise ValueError(f"thresholds sets '{twice[0]}' by hand; take it out of slices and risky")
        return self
