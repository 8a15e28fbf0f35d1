"""`edgekd shadow`: logged requests are answered anew and compared."""

from __future__ import annotations

from pathlib import Path

from edgekd.cli.outcome import Outcome
from edgekd.cli.verbs import compare_traffic, open_context
from edgekd.errors import BadInputError
from edgekd.pipeline.traffic_replay import replay_log


def answer_anew(
    project: Path,
    settings: tuple[str, ...],
    target: str,
    log: Path,
    out: Path,
    candidate: Path | None,
    most: int,
) -> Outcome:
    """Answer a log's requests, write the rows, and compare them slice by slice.

    Exit code 1 where traffic is otherwise than the test rows were.
    """
    context = open_context(project, settings)
    source = context.project.data.source
    for name in (source,) if isinstance(source, str) else source.values():
        if out.resolve() == (context.folder / name).resolve():
            raise BadInputError(f"--out {out}: is what the project learns from; give another name")
    done = replay_log(context, target, log, out, candidate, most)
    found = compare_traffic(project, settings, target, out)
    rest = f"the version before, {done.incumbent[:12]}" if done.incumbent else "no version before"
    if candidate is not None:
        rest = f"what is promoted, {done.incumbent[:12]}"
    line = f"{done.rows:,} requests answered by {done.student[:12]}, by the teacher, and by {rest}"
    return Outcome((line, *found.lines), {**found.document, "rows": done.rows}, found.exit_code)
