"""What the verbs call that go back, watch live traffic, and check the registry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekd.cli.outcome import Outcome
from edgekd.cli.verbs import open_context
from edgekd.errors import ConfigError, unknown_name
from edgekd.pipeline.context import Context
from edgekd.pipeline.needs import require_libraries


def roll_back(
    path: Path,
    settings: tuple[str, ...],
    target: str,
    expects: str | None,
    slices: tuple[str, ...],
    reason: str,
) -> Outcome:
    """Promote again what was promoted before; without `expects` whatever is promoted now is taken back."""
    context = open_context(path, settings)
    from edgekd.gate.harm import WHOLE, Harm
    from edgekd.gate.history import read_history
    from edgekd.gate.promotion import rollback

    _require_target(context, target)
    known = [entry.name for entry in context.project.slices]
    for name in slices:
        if name not in known:
            raise ConfigError(f"--slice: {unknown_name('slice', name, known)}")
    project = context.project.name
    taken = expects or read_history(context.registry, project, target).current or ""
    harm = Harm("a person", reason, dict.fromkeys(slices or (WHOLE,), ""))
    done = rollback(context.registry, project, target, expects=taken, harm=harm)
    document = {
        "target": target,
        "variant": done.variant,
        "artifact": done.artifact_digest,
        "replaced": done.entry.replaces,
    }
    line = (
        f"{target}: {done.variant} ({done.artifact_digest[:12]}) is promoted again in place of {taken[:12]}"
    )
    return Outcome((line,), document)


def judge_live(path: Path, settings: tuple[str, ...], target: str, counts: Path) -> Outcome:
    """Judge counts of live traffic; on proven harm the target goes back, and the exit code is 1."""
    context = open_context(path, settings)
    from edgekd.gate.guard import watch_live

    _require_target(context, target)
    seen = watch_live(context.registry, context.project.name, target, counts)
    lines = [f"{name}: {watched.decision} ({watched.reason})" for name, watched in seen.found.items()]
    if not seen.new_lines:
        lines.append(f"{counts}: no line that was not counted before; judged by what was")
    document: dict[str, Any] = {
        "target": target,
        "artifact": seen.artifact_digest,
        "new_lines": seen.new_lines,
        "slices": {
            name: {"decision": w.decision, "low": w.drop.low, "high": w.drop.high}
            for name, w in seen.found.items()
        },
        "rolled_back": seen.back is not None,
    }
    if not seen.harmed:
        return Outcome(tuple(lines), document)
    harm = f"harm in {', '.join(seen.harmed)}"
    if seen.back is None:
        lines.append(f"{target}: {harm}, and it cannot go back: {seen.stuck}")
        return Outcome(tuple(lines), document, 1)
    lines.append(f"{target}: rolled back to {seen.back.variant} ({seen.back.artifact_digest[:12]}): {harm}")
    return Outcome(tuple(lines), {**document, "variant": seen.back.variant}, 1)


def verify_chain(path: Path, settings: tuple[str, ...], public_key: Path | None) -> Outcome:
    """Check the ledger, every file that an entry rests on, every promoted folder, and who signed."""
    context = open_context(path, settings)
    from edgekd.gate.verify import verify_registry
    from edgekd.pipeline.promoting import digest_artifact

    found = verify_registry(context.registry, digest_artifact)
    lines = [
        f"{found.entries} entries, the chain holds; {found.files} files that they rest on and "
        f"{found.versions} promoted folders are whole"
    ]
    document: dict[str, Any] = {
        "entries": found.entries,
        "holds": True,
        "files": found.files,
        "versions": found.versions,
    }
    if public_key is not None:
        require_libraries(("cryptography",))
        from edgekd.gate.signature import verify_signatures

        document["signatures"] = verify_signatures(context.registry / "ledger.jsonl", public_key)
        lines.append(f"every entry is signed by {public_key}")
    return Outcome(tuple(lines), document)


def _require_target(context: Context, target: str) -> None:
    if target not in context.project.targets:
        raise ConfigError(unknown_name("target", target, context.project.targets))
