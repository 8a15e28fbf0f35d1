"""Bundle what is promoted, or one artifact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edgekd.bundle import Bundle, make_bundle
from edgekd.bundle.card import Origin, read_licence, write_card
from edgekd.compile import open_artifact
from edgekd.config import Target
from edgekd.data import built_in
from edgekd.distill.weights import find_weights
from edgekd.errors import BadInputError, ConfigError, EdgekdError, LedgerError, unknown_name
from edgekd.gate.promotion import current
from edgekd.pipeline.context import Context
from edgekd.pipeline.learning import load_stage
from edgekd.pipeline.shipping import check_standing
from edgekd.store import parse_json

# The built-in rows are made by edgekd from phrases of its own.
_OURS = "Apache-2.0, made by edgekd"


def bundle_promoted(
    context: Context, only: Sequence[str], out: Path | None, anyway: bool = False
) -> Iterator[Bundle]:
    """Bundle each target's promoted artifact into the run's `bundles/<target>`, or `out`/<target>.

    Golden answers are of validation texts. Targets where nothing is promoted are noted and left out.
    `anyway` lets out what the newest verdict fails; the card and the ledger say so.

    Raises:
        BadInputError: nothing is promoted on any of the targets, or on one that was asked for by name.
        HarmedError: the newest verdict fails what is promoted.
    """
    names = [target.name for target in context.targets]
    for name in only:
        if name not in names:
            raise ConfigError(unknown_name("target", name, names))
    for target in context.targets:
        if target.name in only and target.bundle is None:
            raise BadInputError(
                f"target {target.name} names no bundle; add one to its file, as bundle: lambda-zip"
            )
    texts: list[str] | None = None
    made, has_unbundled = 0, False
    for target in context.targets:
        if only and target.name not in only:
            continue
        found = current(context.registry, context.project.name, target.name)
        if found is None:
            if only:
                raise BadInputError(f"{target.name}: nothing is promoted; run: edgekd run PROJECT first")
            context.note(f"{target.name}: nothing is promoted, no bundle")
            continue
        if target.bundle is None:
            context.note(f"{target.name}: its file names no bundle")
            has_unbundled = True
            continue
        objection = check_standing(context, target.name, found[0], "bundle", anyway)
        texts = load_stage(context).split("validation").requests if texts is None else texts
        folder = (out or context.run_folder / "bundles") / target.name
        documents = find_documents(found[1].parent.parent, found[0])
        origin = describe_origin(context)
        yield bundle_artifact(found[1], target, folder, texts, *documents, origin=origin, objection=objection)
        made += 1
    if not made and has_unbundled:
        raise BadInputError(
            f"{context.project.name}: what is promoted is for targets that name no bundle; add one to a "
            "target's file, as bundle: lambda-zip"
        )
    if not made:
        raise BadInputError(f"{context.project.name}: nothing is promoted; run: edgekd run PROJECT first")


def bundle_artifact(
    path: Path,
    target: Target,
    folder: Path,
    texts: Sequence[str],
    verdict: dict[str, Any] | None = None,
    evidence: dict[str, Any] | None = None,
    origin: Origin | None = None,
    objection: str = "",
) -> Bundle:
    """Bundle one artifact; with its verdict and evidence the model card says what was measured."""
    artifact = open_artifact(path)
    target = target.of_task(artifact.manifest["task"])
    return make_bundle(
        artifact, target, folder, texts, write_card(artifact, target, verdict, evidence, origin, objection)
    )


def find_documents(place: Path, digest: str) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Return the newest verdict below a target's place in the registry that promotes this artifact.

    And the evidence of the artifact that was kept with it; verdicts of before that was done have none.
    """
    paths = sorted((place / "verdicts").glob("*.json"), key=lambda path: path.stat().st_mtime)
    for path in reversed(paths):
        verdict = _read_document(path)
        if verdict.get("promoted_digest") == digest:
            kept = place / "evidence" / path.name
            return verdict, _read_document(kept) if kept.is_file() else None
    return None, None


def _read_document(path: Path) -> dict[str, Any]:
    try:
        document = parse_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise LedgerError(f"{path}: is not JSON ({error!s:.100}); restore it") from None
    if not isinstance(document, dict):
        raise LedgerError(f"{path}: expected an object, got {type(document).__name__}; restore it")
    return document


def describe_origin(context: Context) -> Origin:
    """Say what the project knows of where its models come from.

    The weights' licence is the project's word, else what the README beside the weights states.
    """
    project, start = context.project, context.teacher.weights
    source = project.data.source
    sources = [source] if isinstance(source, str) else sorted(set(source.values()))
    judged, taught = _names(sources), _names([*sources, *project.data.unlabelled])
    return Origin(
        project=project.name,
        teacher=context.teacher.name,
        start=start if ":" in start else Path(start).name,
        data=taught,
        judged=judged,
        weights_licence=project.licence.weights or _read_weights_licence(start, context.folder),
        data_licence=project.licence.data or (_OURS if source in built_in.NAMES else ""),
    )


def _names(sources: Sequence[str]) -> str:
    return ", ".join(name if name.startswith("hf:") else Path(name).name for name in sources)


def _read_weights_licence(weights: str, folder: Path) -> str:
    if weights.startswith("hub:"):
        return ""
    try:
        return read_licence(Path(find_weights(weights, folder)))
    except EdgekdError:
        return ""
