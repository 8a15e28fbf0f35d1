"""What `edgekd compile MODEL` calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekd.cli.outcome import Outcome
from edgekd.config import load_target
from edgekd.errors import BadInputError, EdgekdError
from edgekd.progress import show_progress
from edgekd.single.bench import read_texts
from edgekd.single.foreign import compile_foreign
from edgekd.tasks import load_task
from edgekd.units import format_bytes


def compile_model(
    source: Path, targets: tuple[str, ...], texts: Path | None, out: Path, task: str | None = None
) -> Outcome:
    """Compile a model that was trained elsewhere for targets; `task` is what it is for.

    The exit code is 1 where a build failed.
    """
    if not targets:
        raise BadInputError("name what to compile for with --target; edgekd show targets lists them")
    if texts is None:
        raise BadInputError(
            f"{source}: give --texts FILE, some hundred texts like its own: ranges are calibrated "
            "and parity is proven on them"
        )
    known = load_task(task) if task else None
    given = read_texts(texts)
    with show_progress("compile") as progress:
        loaded = [load_target(name) for name in dict.fromkeys(targets)]
        built = compile_foreign(source, loaded, given.texts, out, progress, known)
    lines, document = [], []
    for target, name, found in built:
        entry: dict[str, Any] = {"target": target, "variant": name}
        if isinstance(found, EdgekdError):
            lines.append(f"{target}: {name}: not compiled: {found}")
            document.append({**entry, "problem": str(found)})
            continue
        assert found.parity is not None
        error = found.parity.mean_error_share
        lines.append(
            f"{target}: {name}  {format_bytes(found.size_bytes)}  "
            f"logit error {error:.1%} of their spread, {found.parity.agreeing:.1%} same answers  {found.path}"
        )
        document.append(
            {
                **entry,
                "artifact": found.digest,
                "path": str(found.path),
                "artifact_bytes": found.size_bytes,
                "mean_error_share": error,
                "agreeing": found.parity.agreeing,
            }
        )
    failed = any("artifact" not in entry for entry in document)
    cut = {found.manifest["max_tokens"] for *_, found in built if not isinstance(found, EdgekdError)}
    longer = f"; of longer texts {cut.pop()} tokens are read" if cut else ""
    said = f"texts: {given.source}{longer}; quality is not judged: there are no labels"
    return Outcome((*lines, said), document, int(failed))
