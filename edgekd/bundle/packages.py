"""What an artifact needs to run."""

from __future__ import annotations

import importlib.metadata

from edgekd.compile import Artifact
from edgekd.plugins import load_plugin
from edgekd.serving.characters import NAME as CHARACTERS


def needed_packages(artifact: Artifact) -> dict[str, str]:
    """Name what the artifact needs at run time, at the versions that it was measured with."""
    names = ["numpy", *load_plugin("runtimes", artifact.runtime).LIBRARIES]
    if CHARACTERS not in artifact.manifest["files"]:
        names.append("tokenizers")
    recorded: dict[str, str] = artifact.manifest["provenance"].get("libraries", {})
    return {name: recorded.get(name) or importlib.metadata.version(name) for name in names}
