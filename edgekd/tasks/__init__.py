"""Tasks: what a model is for. Each says how rows are read, answers scored, and results worded."""

from edgekd.tasks.loading import load_task
from edgekd.tasks.task import Task

__all__ = ["Task", "load_task"]
