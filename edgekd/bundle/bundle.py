"""Make a bundle: the platform's files, the model card, and a list of all with their digests."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from edgekd.bundle.deciding import NOT_RUN, describe_policy
from edgekd.compile import Artifact
from edgekd.config import Target
from edgekd.errors import BadInputError
from edgekd.plugins import list_plugins, load_plugin
from edgekd.store import digest_file, write_atomic

CARD, LIST = "MODEL_CARD.md", "bundle.json"
LABELLED = "classify"
"""The head that every kind of bundle answers for, unless its `HEADS` say otherwise."""


@dataclass(frozen=True)
class Bundle:
    """A folder that a platform deploys from.

    Attributes:
        kind: as the target's `bundle` names it.
        artifact_digest: of the artifact inside.
        files: size in bytes of each file, by its path in the folder.
        digest: sha256 of the list of files, which holds the digest of each.
        notes: what whoever deploys it must know, a sentence or two each.
    """

    path: Path
    kind: str
    target: str
    artifact_digest: str
    files: dict[str, int]
    digest: str
    notes: tuple[str, ...] = ()


def make_bundle(artifact: Artifact, target: Target, folder: Path, texts: Sequence[str], card: str) -> Bundle:
    """Write the bundle of a target into `folder`; what an earlier call left there is replaced.

    Raises:
        BadInputError: the target names no bundle, or one that does not take this artifact's runtime or head.
    """
    if target.bundle is None:
        raise BadInputError(f"target {target.name} names no bundle; add one, as bundle: lambda-zip")
    kind = load_plugin("bundles", target.bundle)
    if artifact.runtime not in kind.RUNTIMES:
        raise BadInputError(
            f"target {target.name}: {target.bundle} takes artifacts of {', '.join(kind.RUNTIMES)}; "
            f"{artifact.path} is of {artifact.runtime}"
        )
    if artifact.head.name not in _heads(kind):
        others = (name for name in list_plugins("bundles") if _takes(load_plugin("bundles", name), artifact))
        raise BadInputError(
            f"target {target.name}: {target.bundle} answers for models with the head "
            f"{' or '.join(_heads(kind))}; {artifact.path} has the head {artifact.head.name}, whose answers "
            f"it does not make: take the bundle {' or '.join(others)}, which answers from a server"
        )
    if folder.exists() and any(folder.iterdir()) and not (folder / LIST).is_file():
        raise BadInputError(f"{folder}: not empty and not a bundle; name another folder with --out")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        made = Path(temporary) / "bundle"
        made.mkdir()
        kind.build(artifact, target, made, texts)
        (made / CARD).write_text(card, encoding="utf-8")
        files = _list_files(made)
        head = {"bundle": target.bundle, "target": target.name, "artifact": artifact.digest}
        listed = json.dumps({**head, "files": files}, indent=1, sort_keys=True, ensure_ascii=False)
        write_atomic(made / LIST, listed + "\n")
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
    return Bundle(
        path=folder,
        kind=target.bundle,
        target=target.name,
        artifact_digest=artifact.digest,
        files={name: int(entry["bytes"]) for name, entry in files.items()},
        digest=digest_file(folder / LIST),
        notes=_list_notes(artifact, target.bundle, kind),
    )


def _heads(kind: ModuleType) -> tuple[str, ...]:
    return getattr(kind, "HEADS", (LABELLED,))


def _takes(kind: ModuleType, artifact: Artifact) -> bool:
    return artifact.runtime in kind.RUNTIMES and artifact.head.name in _heads(kind)


def _list_notes(artifact: Artifact, name: str, kind: ModuleType) -> tuple[str, ...]:
    if not artifact.routing:
        return ()
    note = describe_policy(name, getattr(kind, "POLICY", NOT_RUN))
    return (note,) if note else ()


def _list_files(folder: Path) -> dict[str, dict[str, Any]]:
    return {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": digest_file(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def read_bundle(folder: Path) -> dict[str, Any]:
    """Return what a bundle says of itself, after holding every file against it.

    Raises:
        BadInputError: naming the file that is missing, unlisted or damaged.
    """
    try:
        listed: dict[str, Any] = json.loads((folder / LIST).read_text(encoding="utf-8"))
        files = dict(listed["files"])
        _ = listed["bundle"], listed["target"], listed["artifact"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BadInputError(
            f"{folder / LIST}: not a bundle's list: {error!r:.100}; bundle it again"
        ) from None
    found = _list_files(folder)
    found.pop(LIST, None)
    for name in sorted(set(files) | set(found)):
        if files.get(name) != found.get(name):
            raise BadInputError(f"{folder / name}: not what {LIST} says; bundle it again")
    return listed
