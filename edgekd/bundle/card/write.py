"""Write a card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekd.bundle.card.about import (
    describe_digests,
    describe_licences,
    describe_making,
    describe_rollback,
    describe_use,
)
from edgekd.bundle.card.facts import gather
from edgekd.bundle.card.front import write_front
from edgekd.bundle.card.limits import describe_limits
from edgekd.bundle.card.measured import describe_calibration, describe_evidence, describe_quality
from edgekd.bundle.card.origin import Origin
from edgekd.bundle.card.routing import describe_routing
from edgekd.compile import Artifact
from edgekd.config import Target

_SECTIONS = (
    ("What it is and what it is for", describe_use),
    ("How it was made", describe_making),
    ("Evidence", describe_evidence),
    ("Quality per slice", describe_quality),
    ("Routing", describe_routing),
    ("Calibration", describe_calibration),
    ("Limits and known weaknesses", describe_limits),
    ("Licences", describe_licences),
    ("How to roll back", describe_rollback),
    ("Digests", describe_digests),
)


def write_card(
    artifact: Artifact,
    target: Target,
    verdict: Mapping[str, Any] | None,
    evidence: Mapping[str, Any] | None = None,
    origin: Origin | None = None,
    objection: str = "",
) -> str:
    """Write the card in Markdown, with the head that the Hugging Face hub reads.

    `verdict` is the JSON of the verdict that judged the artifact, `evidence` that of the promoted variant's
    evidence. Without a verdict the card says that nothing was measured, and what would; without evidence it
    has what the verdict's checks say. Figures come from these documents alone.
    `objection` is what a newer verdict says against the artifact that a person let go out all the same.

    Raises:
        BadInputError: a document is of another artifact or target.
    """
    facts = gather(artifact, target, verdict, evidence, origin or Origin(), objection)
    parts = [f"{write_front(facts)}\n# {artifact.student} for {target.name}"]
    parts += [f"## {title}\n{describe(facts)}" for title, describe in _SECTIONS]
    return "\n\n".join(parts) + "\n"
