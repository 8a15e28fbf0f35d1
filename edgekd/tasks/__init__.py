"""Tasks: what a model is for. Each says how rows are read, answers scored, and results worded."""

from edgekd.tasks.loading import digest_task, load_task
from edgekd.tasks.task import Task

__all__ = ["Task", "digest_task", "load_task"]
