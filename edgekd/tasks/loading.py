"""Find a task by the name that a project file gives it."""

from __future__ import annotations

import importlib

from edgekd.errors import ConfigError
from edgekd.plugins import load_plugin
from edgekd.tasks.task import Task


def load_task(name: str) -> Task:
    """Return a built-in or added task, or with `module:object` one that any module holds.

    Raises:
        ConfigError: there is no such task.
    """
    module, colon, place = name.partition(":")
    if not colon:
        found = load_plugin("tasks", name).TASK
    else:
        try:
            found = getattr(importlib.import_module(module), place)
        except (ImportError, AttributeError) as error:
            raise ConfigError(
                f"task '{name}': cannot be imported ({error}); give module:object, the module on PYTHONPATH"
            ) from None
    if not isinstance(found, Task):
        raise ConfigError(f"task '{name}': expected an edgekd.tasks.Task, got {type(found).__name__}")
    return found
