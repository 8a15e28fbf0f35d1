"""What happens to a message that the student is not sure of."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edgekd.config.base import Frozen


class Rule(Frozen):
    """Words that decide, whatever the student says."""

    phrase: str = Field(min_length=1)
    """Matched as whole words, in any case and spacing."""
    label: str
    """What is answered."""


class Routing(Frozen):
    """When the teacher is asked; thresholds are found on validation rows and travel in the artifact."""

    quality: float = Field(0.5, gt=0, le=100)
    """Largest drop of student and teacher together against the teacher alone, by its bound, in points."""
    refuse_as: str | None = None
    """The class of messages that nobody should answer; without it nothing is refused."""
    critical: tuple[str, ...] = ()
    """Classes of which the routed system finds as many as the teacher or its margin asks; never refused."""
    slices: tuple[str, ...] = ()
    """Slices that callers know of a message; each gets a threshold of its own where it needs one."""
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
