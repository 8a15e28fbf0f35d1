"""Tasks: what a model is for. Each says how rows are read, answers scored, and results worded."""

from edgekd.tasks.loading import load_task
from edgekd.tasks.task import Task
from edgekd.tasks.words import Words

__all__ = ["Task", "Words", "load_task"]
