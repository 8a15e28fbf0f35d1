"""Two artifacts that answer in turn, as one."""

from __future__ import annotations

import shutil
from pathlib import Path

from edgekd.compile.artifact import Artifact, build_artifact
from edgekd.errors import ArtifactError
from edgekd.serving.heads.rank import FIRST
from edgekd.serving.manifest import digest_manifest, read_manifest

_WRITTEN = ("files", "sha256")  # by build_artifact


def write_cascade(first: Artifact, second: Artifact, keep: int, folder: Path) -> Artifact:
    """Write an artifact whose first model orders all candidates and whose second orders the best `keep` anew.

    `folder` must not exist. The files of the first lie in a folder of their own; the loader's code is shared.

    Raises:
        ArtifactError: one of them does not rank, or is itself such an artifact.
    """
    for artifact in (first, second):
        if artifact.head.name != "rank" or FIRST in artifact.manifest:
            raise ArtifactError(f"{artifact.path}: expected one model that ranks; it is none")
    leave = shutil.ignore_patterns("__pycache__")
    shutil.copytree(second.path, folder, ignore=leave)
    shutil.copytree(first.path, folder / FIRST, ignore=shutil.ignore_patterns("__pycache__", "serving"))
    shutil.copytree(first.path / "serving", folder / "serving", ignore=leave, dirs_exist_ok=True)
    fields = {name: value for name, value in second.manifest.items() if name not in _WRITTEN}
    student = f"{first.student}+{second.student}"
    origin = {**fields["provenance"], "first": first.digest, "second": second.digest}
    fields |= {"student": student, "provenance": origin, FIRST: {"keep": keep}}
    return build_artifact(folder, fields)


def read_first(artifact: Artifact) -> Artifact | None:
    """Return the first of an artifact's two models, as it lies inside it; None where there is one model.

    Its files of the loader's code are those of the whole, which holds them for both.
    """
    if FIRST not in artifact.manifest:
        return None
    path = artifact.path / FIRST
    manifest = read_manifest(path, verify=False)
    return Artifact(
        path=path,
        digest=digest_manifest(path),
        student=manifest["student"],
        runtime=manifest["runtime"],
        recipe=manifest["recipe"],
        size_bytes=sum(entry["bytes"] for entry in manifest["files"].values()),
        manifest=manifest,
    )
