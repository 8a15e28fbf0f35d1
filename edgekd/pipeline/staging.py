"""Run one cached stage with its progress bar and its line on stderr."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edgekd.pipeline.context import Context
from edgekd.progress import Progress
from edgekd.store import Stage


def run_stage(
    context: Context,
    name: str,
    version: int,
    reads: Mapping[str, Any],
    build: Callable[[Path, Progress], None],
) -> Stage:
    """Return a stage from the cache, or build it and say how long it took."""
    began = time.monotonic()

    def work(folder: Path) -> None:
        with context.show_progress(name) as progress:
            build(folder, progress)

    stage = context.store.run(name, version, reads, work)
    took = time.monotonic() - began
    context.note(f"{name}: {'cached' if stage.cached else f'done in {took:.1f} s'}")
    return stage
