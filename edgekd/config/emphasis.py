"""Which rows and classes count more in a training; teachers and students are told in the same words."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from edgekd.config.base import Frozen


class Reviewed(Frozen):
    """Rows that are shown several times an epoch."""

    where: str
    """SQL predicate over the data's columns, as `checked` or `sample = 'critical'`."""
    times: int = Field(3, ge=2, le=10_000)
    """How often each is shown."""


class Emphasis(Frozen):
    """Which rows and classes count more than others; where nothing is set all count alike."""

    class_weights: Literal["equal", "inverse", "effective"] = "equal"
    """Weight of a row by its class's rows: alike, 1 / n, or milder by the effective number."""
    reviewed: Reviewed | None = None
    """Rows to show more often: those that a person has looked at, or those of critical classes."""
    rare_classes: tuple[str, ...] = ()
    """Classes with few rows whose recall the penalty raises."""
    rare_penalty: float = Field(0.3, ge=0, le=1e6)
    """Weight of that penalty in the loss."""

    @property
    def emphasis(self) -> dict[str, Any]:
        """What of these settings changes a training, as JSON values; empty where all rows count alike.

        A penalty without classes changes nothing, nor do classes without a penalty.
        """
        keys = {"class_weights", "reviewed"}
        if self.rare_classes and self.rare_penalty:
            keys |= {"rare_classes", "rare_penalty"}
        settings = self.model_dump(mode="json", include=keys)
        return {key: value for key, value in settings.items() if value not in ("equal", None)}
