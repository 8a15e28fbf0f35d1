"""What `import edgekd` offers; nothing heavy is imported before it is called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from edgekd.progress import Progress, silent
from edgekd.sizing.budget import Budget

if TYPE_CHECKING:
    from edgekd.sizing.front import Front

_NOTHING = Budget()


def size(
    project: str | Path, *, target: str, budget: Budget = _NOTHING, settings: Sequence[str] = ()
) -> Front:
    """Choose which student to train for a budget, as `edgekd size PROJECT` does.

    Takes minutes: students are taught for a while, and those that would be recommended are measured. The
    recommendation is also written to the project's `models/`. Where nothing fits, `recommended` is None and
    `binding` says which limit leaves nothing.

    For example: `edgekd.size("edgekd.yaml", target="lambda-x86", budget=Budget(p95_ms=0.5, max_drop=1.0))`.

    Args:
        project: The project file.
        target: Name of a target.
        budget: Hard limits, and how many points may be lost.
        settings: What overrides keys of the file, as `key.sub=value`.

    Raises:
        EdgekdError: the project, the target or the machine does not allow it; its message says what to do.
    """
    from edgekd.config import load_project
    from edgekd.pipeline.choosing import size_project
    from edgekd.pipeline.context import Context

    path, overrides = Path(project), tuple(settings)
    context = Context(load_project(path, overrides), path.parent, _unseen, lambda words: None, overrides)
    return size_project(context, target, budget)


@contextmanager
def _unseen(title: str) -> Iterator[Progress]:
    yield silent
