"""Find artifacts in folders, and name them as subjects of a measurement."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

from edgekd.compile import Artifact
from edgekd.errors import BadInputError
from edgekd.measure.subject import Subject

_MANIFEST, _LOADER = "manifest.json", "serving"
# An artifact itself, a folder of artifacts, a run's `artifacts/<target>/<variant>`.
_PLACES = ("", "*/", "*/*/")


def find_artifacts(folder: Path) -> tuple[Path, ...]:
    """List the artifacts at most two folders below `folder`, by path; equal ones once, the first.

    One whose manifest is missing or cannot be read is listed, too: who opens it is told what is wrong.
    """
    found = {
        path.parent
        for place in _PLACES
        for name in (_MANIFEST, _LOADER)
        for path in folder.glob(place + name)
    }
    by_digest: dict[str, Path] = {}
    for artifact in sorted(found):
        by_digest.setdefault(_digest(artifact), artifact)
    return tuple(by_digest.values())


def find_baseline(artifact: Path, artifacts: Path | None, baselines: Path) -> Path | None:
    """Return the artifact of `baselines` at the same path as `artifact` in `artifacts`, or of its name."""
    artifact = artifact.absolute()
    names = [Path(artifact.name)]
    if artifacts is not None and artifact.is_relative_to(artifacts.absolute()):
        names.insert(0, artifact.relative_to(artifacts.absolute()))
    for name in names:
        if any((baselines / name / part).exists() for part in (_MANIFEST, _LOADER)):
            return baselines / name
    return None


def artifact_subject(artifact: Artifact, threads: int, streams: int | None = None) -> Subject:
    """Name an artifact by what it is and the start of its digest; the loader inside it is what runs.

    With `streams` it works on so many texts at once; else as it was compiled for.
    """
    name = f"{artifact.student}.{artifact.runtime}.{artifact.recipe}@{artifact.digest[:8]}"
    place, more = str(artifact.path.resolve()), () if streams is None else (str(streams),)
    return Subject(name, "edgekd.shipped:open_shipped", (place, str(threads), *more))


def artifact_pair(candidate: Artifact, baseline: Artifact, threads: int) -> tuple[Subject, Subject]:
    """Name two artifacts; the same one twice is told apart, so that A/A can be measured.

    Raises:
        BadInputError: if the two do not answer with the same labels.
    """
    if candidate.head != baseline.head:
        raise BadInputError(
            f"{baseline.path}: knows other labels than {candidate.path}; compare artifacts of one task"
        )
    ours, theirs = artifact_subject(candidate, threads), artifact_subject(baseline, threads)
    if ours.name == theirs.name:
        theirs = dataclasses.replace(theirs, name=f"{theirs.name} (baseline)")
    return ours, theirs


def _digest(folder: Path) -> str:
    """Return the artifact's digest: that of its manifest, which holds those of all other files."""
    try:
        return hashlib.sha256((folder / _MANIFEST).read_bytes()).hexdigest()
    except OSError:  # no two of these are known to be the same
        return str(folder)
