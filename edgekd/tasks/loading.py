"""Find a task by the name that a project file gives it."""

from __future__ import annotations

import importlib
from pathlib import Path

from edgekd.errors import ConfigError
from edgekd.plugins import load_plugin
from edgekd.store import digest_file
from edgekd.tasks import built_in
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


def digest_task(name: str) -> str:
    """Digest the source of a task that is not edgekd's own: what was made with other source is made anew."""
    module, colon, _ = name.partition(":")
    path = getattr(importlib.import_module(module) if colon else load_plugin("tasks", name), "__file__", None)
    is_own = path is None or Path(path).parent == Path(built_in.__file__).parent
    return "" if is_own else digest_file(Path(path))
