"""What a user writes: the project file, target files and model files."""

from edgekd.config.distillation import Distillation, FeatureStage, Origin
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
from edgekd.config.project import (
    Carve,
    Columns,
    Data,
    Measure,
    Project,
    StudentEntry,
    Teacher,
)
from edgekd.config.reading import load_model, load_project, load_target
from edgekd.config.slices import Slice
from edgekd.config.target import Build, Hardware, Limits, Price, Target

__all__ = [
    "Build",
    "Carve",
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
    "NarrowModel",
    "Origin",
    "Price",
    "Project",
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
    "load_project",
    "load_target",
]
