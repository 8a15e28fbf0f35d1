"""What a user writes: the project file, target files and model files."""

from edgekd.config.model import EncoderModel, Lora, Model, StaticModel, Training, TransformerModel
from edgekd.config.project import (
    Carve,
    Columns,
    Data,
    Distillation,
    Measure,
    Project,
    Slice,
    StudentEntry,
    Teacher,
)
from edgekd.config.reading import load_model, load_project, load_target
from edgekd.config.target import Build, Hardware, Limits, Price, Target

__all__ = [
    "Build",
    "Carve",
    "Columns",
    "Data",
    "Distillation",
    "EncoderModel",
    "Hardware",
    "Limits",
    "Lora",
    "Measure",
    "Model",
    "Price",
    "Project",
    "Slice",
    "StaticModel",
    "StudentEntry",
    "Target",
    "Teacher",
    "Training",
    "TransformerModel",
    "load_model",
    "load_project",
    "load_target",
]
