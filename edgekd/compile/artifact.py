"""One variant on disk: immutable, and what its manifest says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekd.errors import ArtifactError
from edgekd.export import Parity
from edgekd.serving import ServingError
from edgekd.serving.calibrate import UNFITTED, Calibration, read_calibration
from edgekd.serving.heads import Head, read_head
from edgekd.serving.manifest import FORMAT_VERSION, NAME, digest_manifest, read_manifest, seal
from edgekd.store import digest_file, digest_json

CALIBRATION = "calibration.json"


@dataclass(frozen=True)
class Artifact:
    """A compiled student: what runs on a target.

    `digest` is sha256 of the manifest's file, which holds the sha256 of every other file; ledgers, bundles,
    cards, logs and answers name the artifact by it. `size_bytes` is the whole folder. `parity` tells how far
    the compiled outputs lie from the fp32 graph's on calibration texts; it is known only to who compiled it.
    """

    path: Path
    digest: str
    student: str
    runtime: str
    recipe: str
    size_bytes: int
    manifest: Mapping[str, Any] = field(repr=False)
    parity: Parity | None = None

    @property
    def head(self) -> Head:
        """What its outputs mean."""
        return read_head(self.manifest)

    @property
    def routing(self) -> dict[str, Any]:
        """The routing policy in its `calibration.json`; empty where it answers everything."""
        document = json.loads((self.path / CALIBRATION).read_text(encoding="utf-8"))
        return dict(document["routing"])

    @property
    def model_digest(self) -> str:
        """Digest of what decides its outputs: equal for artifacts that differ in how they decide alone."""
        files = {name: entry for name, entry in self.manifest["files"].items() if name != CALIBRATION}
        return digest_json({**self.manifest, "files": files, "sha256": ""})

    @property
    def answers_digest(self) -> str:
        """Digest of the files that decide its answers: equal where only the rows or the loader differ.

        `digest` changes with every row of the data, which the manifest names, and with the loader's source.
        """
        files = self.manifest["files"].items()
        return digest_json({name: of["sha256"] for name, of in files if not name.startswith("serving/")})


def build_artifact(folder: Path, fields: Mapping[str, Any], parity: Parity | None = None) -> Artifact:
    """Write the manifest, sealed, over the files that lie in `folder`, and return the artifact, verified.

    `fields` are the manifest's, less `files`. They hold `format_version` only where the loader in the folder
    is of another artifact, and may read no newer format.
    """
    (folder / NAME).unlink(missing_ok=True)
    files = {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": digest_file(path)}
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    (folder / NAME).write_bytes(seal({"format_version": FORMAT_VERSION, **fields, "files": files}))
    return open_artifact(folder, parity=parity)


def open_artifact(path: Path, *, parity: Parity | None = None) -> Artifact:
    """Open and verify an artifact's folder.

    Raises:
        ArtifactError: one line that names the file that is not as it should be.
    """
    try:
        manifest = read_manifest(path)
    except ServingError as error:
        raise ArtifactError(str(error)) from None
    size = (path / NAME).stat().st_size + sum(entry["bytes"] for entry in manifest["files"].values())
    return Artifact(
        path=path,
        digest=digest_manifest(path),
        student=manifest["student"],
        runtime=manifest["runtime"],
        recipe=manifest["recipe"],
        size_bytes=size,
        manifest=manifest,
        parity=parity,
    )


def read_fitted(folder: Path) -> Calibration:
    """Read what was fitted for the artifact in a folder; where its head fits nothing, it changes nothing."""
    fitted = json.loads((folder / CALIBRATION).read_text(encoding="utf-8"))
    return read_calibration(folder / CALIBRATION) if "temperature" in fitted else UNFITTED
