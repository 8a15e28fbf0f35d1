"""Copy the serving code into an artifact: all that every artifact needs, one runtime and one head."""

from __future__ import annotations

import pkgutil
import shutil
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import edgekd.serving
from edgekd.serving.heads import import_head


def copy_loader(folder: Path, runtime: ModuleType, head: ModuleType) -> None:
    """Write the loader into `folder`: what this runtime and this head need, and nothing of others."""
    source = Path(edgekd.serving.__file__).parent
    heads = [import_head(info.name) for info in pkgutil.iter_modules(edgekd.serving.heads.__path__)]
    unneeded = {name for other in heads for name in _list_own(other)} - _list_own(head)
    folder.mkdir(parents=True)
    _copy((path for path in source.glob("*.py") if path.stem not in unneeded), folder)
    for package, module in (("runtimes", runtime), ("heads", head)):
        assert module.__file__ is not None
        (folder / package).mkdir()
        _copy((source / package / "__init__.py", Path(module.__file__)), folder / package)


def _list_own(head: ModuleType) -> set[str]:
    return {*head.NEEDS, getattr(head, "MODEL", "")}


def _copy(paths: Iterable[Path], folder: Path) -> None:
    for path in paths:
        shutil.copyfile(path, folder / path.name)
