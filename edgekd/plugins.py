"""Named things that a user can add: runtimes, recipes, bundles and tasks.

A built-in lives in one module of a package, named after it (`int8-dynamic` in
`edgekd/compile/recipes/int8_dynamic.py`). An outside package adds one through the entry point
groups `edgekd.runtimes`, `edgekd.recipes`, `edgekd.bundles` and `edgekd.tasks`; the entry point names a
module of the same shape. Nothing is imported before it is asked for.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
import sys
from importlib.metadata import EntryPoints, entry_points
from types import ModuleType

from edgekd.errors import ConfigError, unknown_name

_PACKAGES = {
    "runtimes": "edgekd.serving.runtimes",
    "recipes": "edgekd.compile.recipes",
    "bundles": "edgekd.bundle.kinds",
    "tasks": "edgekd.tasks.built_in",
}


def list_plugins(kind: str) -> tuple[str, ...]:
    """List the names of a kind ("runtimes", "recipes", "bundles" or "tasks"), built-in and added, sorted."""
    package = importlib.import_module(_PACKAGES[kind])
    built_in = {
        info.name.replace("_", "-")
        for info in pkgutil.iter_modules(package.__path__)
        if not info.name.startswith("_")
    }
    return tuple(sorted(built_in | {point.name for point in _added(kind, tuple(sys.path))}))


def load_plugin(kind: str, name: str) -> ModuleType:
    """Import the module of one named thing.

    Raises:
        ConfigError: if nothing of that name exists; near matches are named.
    """
    for point in _added(kind, tuple(sys.path)):
        if point.name == name:
            module = point.load()
            assert isinstance(module, ModuleType)
            return module
    if name not in list_plugins(kind):
        raise ConfigError(unknown_name(kind.removesuffix("s"), name, list_plugins(kind)))
    return importlib.import_module(f"{_PACKAGES[kind]}.{name.replace('-', '_')}")


@functools.cache
def _added(kind: str, path: tuple[str, ...]) -> EntryPoints:
    """Find what other packages on the path add; a search reads every package's metadata: 10 ms."""
    return entry_points(group=f"edgekd.{kind}")
