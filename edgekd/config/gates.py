"""Limits on figures that are not a drop of quality: of trust, safety and cost."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import Field, model_validator

from edgekd.config.base import Frozen

Outside = Literal["human_win_rate", "hallucination_rate"]
"""Figures that only people can give."""

PRESETS: dict[str, dict[str, Any]] = {
    "reference": {
        "mode": "point",
        "teacher_preference_match": 0.85,
        "human_win_rate": 0.65,
        "hallucination_rate": 0.04,
        "cost_reduction": 0.50,
    }
}


class SliceGates(Frozen):
    """Limits on the calibration of one slice, as of the whole."""

    ece: float | None = Field(None, ge=0, le=1)
    """Largest expected calibration error, bins of equal mass."""
    brier: float | None = Field(None, ge=0, le=2)
    """Largest Brier score, summed over labels."""
    confident_error_rate: float | None = Field(None, ge=0, le=1)
    """Largest share of its rows that are wrong with a probability of at least 0.9."""


class Gates(Frozen):
    """What a promoted variant must reach beside the slices; an absent one is not checked."""

    preset: Literal["reference"] | None = None
    """`reference`: match 0.85, win rate 0.65, hallucination 0.04, cost reduction 0.5, as points."""
    mode: Literal["bound", "point"] = "bound"
    """`bound`: the pessimistic end of the interval must hold the limit; `point`: the estimate must."""
    teacher_preference_match: float | None = Field(None, ge=0, le=1)
    """Least share of the test rows on which it answers as the teacher does."""
    human_win_rate: float | None = Field(None, ge=0, le=1)
    """Least share of people's verdicts for it; a tie counts half."""
    hallucination_rate: float | None = Field(None, ge=0, le=1)
    """Largest share of reviewed answers that people call made up."""
    cost_reduction: float | None = Field(None, ge=0, le=1)
    """Least share of the teacher's cost that is saved, fallback included; needs `routing`."""
    fallback_rate: float | None = Field(None, ge=0, le=1)
    """Largest share that goes to the teacher; needs `routing`."""
    ece: float | None = Field(None, ge=0, le=1)
    """Largest expected calibration error, bins of equal mass, on the rows of `overall`."""
    brier: float | None = Field(None, ge=0, le=2)
    """Largest Brier score, summed over labels, on the rows of `overall`."""
    confident_error_rate: float | None = Field(None, ge=0, le=1)
    """Largest share of the rows of `overall` that are wrong with a probability of at least 0.9."""
    slices: dict[str, SliceGates] = Field(default_factory=dict)
    """Limits on the calibration of single slices, by name."""
    data_age_p50_days: float | None = Field(None, ge=0)
    """Largest median age of the training rows on the day of the run; needs `data.columns.date`."""
    data_age_p95_days: float | None = Field(None, ge=0)
    """Largest age of the freshest 95 % of the training rows on that day; needs `data.columns.date`."""
    verdicts: dict[Outside, str] = Field(default_factory=dict)
    """File of people's verdicts for each figure that needs them: CSV or JSON lines of row, rater, verdict."""

    @property
    def asks_age(self) -> bool:
        """Whether a limit is on the age of the training rows."""
        return self.data_age_p50_days is not None or self.data_age_p95_days is not None

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, document: Any) -> Any:
        if isinstance(document, dict) and document.get("preset") in PRESETS:
            return {**PRESETS[document["preset"]], **document}
        return document

    @model_validator(mode="after")
    def _needs_verdicts(self) -> Gates:
        for name in get_args(Outside):
            if getattr(self, name) is not None and name not in self.verdicts:
                raise ValueError(f"{name} needs verdicts.{name}: a file of row, rater, verdict")
        return self
