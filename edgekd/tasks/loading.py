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
        except Exception as error:  # noqa: BLE001  whatever a module of somebody else's raises
            words = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise ConfigError(
                f"task '{name}': cannot be imported ({words}); give module:object, the module on PYTHONPATH"
            ) from None
    if not isinstance(found, Task):
        raise ConfigError(f"task '{name}': expected an edgekd.tasks.Task, got {type(found).__name__}")
    return found


def digest_task(name: str) -> str:
    """Digest the source of a task that is not edgekd's own: what was made with other source is made anew."""
    load_task(name)  # a name that is wrong is refused in one line
    module, colon, _ = name.partition(":")
    found = importlib.import_module(module) if colon else load_plugin("tasks", name)
    path = Path(found.__file__ or "")
    return "" if path.parent == Path(built_in.__file__).parent else digest_file(path)
