"""The same compiled model with another way to decide: a bias per class, a routing policy."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekd.compile.artifact import CALIBRATION, Artifact, build_artifact
from edgekd.errors import ArtifactError
from edgekd.serving import ServingError
from edgekd.serving.heads import import_head, read_head

_WRITTEN = ("files", "sha256")  # by build_artifact


def set_policy(
    artifact: Artifact, policy: Mapping[str, Any], folder: Path, bias: Mapping[str, float] | None = None
) -> Artifact:
    """Copy an artifact into `folder`, which must not exist, with another policy in its `calibration.json`.

    With `bias`, so is what is added to the log probability of classes where one is chosen. The model's files
    stay as they are, so what was measured of it holds; its digest changes.

    Raises:
        ArtifactError: the policy or the bias is not one that the artifact's head takes.
    """
    head = read_head(artifact.manifest)
    module = import_head(head.name)
    try:
        module.check_policy(policy, bias or {}, head.labels)
    except ServingError as error:
        raise ArtifactError(f"{artifact.path}: {error}") from None
    shutil.copytree(artifact.path, folder, ignore=shutil.ignore_patterns("__pycache__"))
    known = json.loads((folder / CALIBRATION).read_text(encoding="utf-8"))
    changed = {"routing": dict(policy), **({} if bias is None else {"bias": dict(bias)})}
    value = {**module.UNCALIBRATED, **known, **changed}
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    (folder / CALIBRATION).write_text(text, encoding="utf-8")
    fields = {name: value for name, value in artifact.manifest.items() if name not in _WRITTEN}
    return build_artifact(folder, fields, artifact.parity)
