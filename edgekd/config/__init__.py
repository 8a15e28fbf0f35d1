"""What a user writes: the project file, target files and model files; each is built when asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgekd.config.claims import ClaimRule, Claims, Records
    from edgekd.config.data import Carve, Columns, Data
    from edgekd.config.distillation import Ambiguous, Distillation, FeatureStage, Origin, RankTerms
    from edgekd.config.emphasis import Emphasis, Reviewed
    from edgekd.config.model import (
        EncoderModel,
        Lora,
        Model,
        NarrowModel,
        StaticModel,
        StudentModel,
        Training,
        TransformerModel,
    )
    from edgekd.config.project import Measure, Project, StudentEntry, Teacher
    from edgekd.config.ranges import ModelRange
    from edgekd.config.reading import load_model, load_model_or_range, load_project, load_target
    from edgekd.config.slices import Slice
    from edgekd.config.target import Build, Hardware, Limits, Price, Target

__all__ = [
    "Ambiguous",
    "Build",
    "Carve",
    "ClaimRule",
    "Claims",
    "Columns",
    "Data",
    "Distillation",
    "Emphasis",
    "EncoderModel",
    "FeatureStage",
    "Hardware",
    "Limits",
    "Lora",
    "Measure",
    "Model",
    "ModelRange",
    "NarrowModel",
    "Origin",
    "Price",
    "Project",
    "RankTerms",
    "Records",
    "Reviewed",
    "Slice",
    "StaticModel",
    "StudentEntry",
    "StudentModel",
    "Target",
    "Teacher",
    "Training",
    "TransformerModel",
    "load_model",
    "load_model_or_range",
    "load_project",
    "load_target",
]

_PARTS = {
    "claims": "ClaimRule Claims Records",
    "data": "Carve Columns Data",
    "distillation": "Ambiguous Distillation FeatureStage Origin RankTerms",
    "emphasis": "Emphasis Reviewed",
    "model": "EncoderModel Lora Model NarrowModel StaticModel StudentModel Training TransformerModel",
    "project": "Measure Project StudentEntry Teacher",
    "ranges": "ModelRange",
    "reading": "load_model load_model_or_range load_project load_target",
    "slices": "Slice",
    "target": "Build Hardware Limits Price Target",
}
_MODULE = {name: f"{__name__}.{module}" for module, names in _PARTS.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """Import what is asked for (PEP 562): building all models takes a third of a short command's time."""
    if name not in _MODULE:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(importlib.import_module(_MODULE[name]), name)
