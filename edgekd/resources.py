"""Find target and model files: the user's own first, then a checkout's, then the wheel's; and the cache."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from edgekd.errors import ConfigError, unknown_name

_PACKAGE = Path(__file__).parent
_NAME = re.compile(r"[^\W_][\w.-]{0,99}")


def find_resource(kind: str, name: str, folder: Path | None = None) -> Path:
    """Find `name`.yaml of a `kind` ("targets" or "models").

    `folder` is where the project file lies; the current folder is used where it is absent.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"unknown {kind.removesuffix('s')} {name!r:.80}: not a name of letters, digits and . _ -; known: "
            f"{', '.join(list_resources(kind, folder)) or 'none'}"
        )
    for path in _search(kind, folder):
        if (path / f"{name}.yaml").is_file():
            return path / f"{name}.yaml"
    raise ConfigError(unknown_name(kind.removesuffix("s"), name, list_resources(kind, folder)))


def list_resources(kind: str, folder: Path | None = None) -> tuple[str, ...]:
    """List the names of every file of a kind, sorted."""
    return tuple(sorted({file.stem for path in _search(kind, folder) for file in path.glob("*.yaml")}))


def cache_folder(name: str) -> Path:
    """Return the folder of what is fetched once for all projects, below the user's own cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgekd" / name


def shown(path: Path) -> str:
    """Return a path as a person writes it, the home folder as `~`: what is printed may leave this machine."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


def _search(kind: str, folder: Path | None) -> Iterator[Path]:
    yield (folder or Path.cwd()) / kind
    yield _PACKAGE.parent / kind  # a checkout
    yield _PACKAGE / "_data" / kind  # a wheel
