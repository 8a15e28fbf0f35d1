"""What a card is written from: the artifact, and the documents of its verdict and evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from edgekd.bundle.card.origin import Origin
from edgekd.compile import Artifact
from edgekd.config import Target
from edgekd.errors import BadInputError
from edgekd.evaluate.agreement import Ported
from edgekd.evaluate.classify.routing import RoutingResult
from edgekd.evaluate.result import EvalResult, SliceResult
from edgekd.words import OF_HEAD, Words

_BASIS = {"native": "promoted", "proxy": "promoted (proxy latency)"}
# How a verdict's reason ends where something that does not block was not checked.
_UNCHECKED = "; not checked: "


@dataclass(frozen=True)
class Figure:
    """A measured figure with the ends of its 95 % interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Facts:
    """`verdict` is a GateVerdict's JSON, `evidence` a VariantEvidence's; either may be missing.

    `objection` is what a newer verdict says against the artifact that a person let go out all the same.
    """

    artifact: Artifact
    target: Target
    origin: Origin
    verdict: Mapping[str, Any] | None
    evidence: Mapping[str, Any] | None
    objection: str = ""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The artifact's manifest."""
        return self.artifact.manifest

    @property
    def words(self) -> Words:
        """What is said of this kind of model."""
        return OF_HEAD[self.artifact.head.name]

    @property
    def outcome(self) -> str:
        """What the gate said, as reports say it."""
        if self.verdict is None:
            return "not judged"
        if self.verdict["promoted_digest"] != self.artifact.digest:
            return str(self.variant["status"])
        return _BASIS.get(str(self.verdict["basis"]), "promoted (latency not measured)")

    @property
    def reason(self) -> str:
        """Why this variant, without what was not checked."""
        return str(self.verdict["reason"] if self.verdict else "").partition(_UNCHECKED)[0]

    @property
    def unchecked(self) -> list[str]:
        """What the gate did not check; not why, for that may name places on the machine that measured."""
        parts = str(self.verdict["reason"] if self.verdict else "").split(_UNCHECKED)[1:]
        return [part.partition(" (")[0] for part in parts]

    @cached_property
    def variant(self) -> Mapping[str, Any]:
        """The verdict's entry of this artifact."""
        entries = self.verdict["variants"] if self.verdict else ()
        digest = self.artifact.digest
        found = next((entry for entry in entries if entry["artifact_digest"] == digest), None)
        if found is None:
            raise BadInputError(f"the verdict is not of artifact {digest[:12]}; give the one that judged it")
        return dict(found)

    @cached_property
    def checks(self) -> dict[str, Mapping[str, str]]:
        """Every check of this artifact, by its name."""
        return {check["name"]: check for check in self.variant["checks"]} if self.verdict else {}

    @property
    def is_from_elsewhere(self) -> bool:
        """Whether the model was trained elsewhere: no teacher, no labels and no project are known."""
        provenance = self.manifest["provenance"]
        return "source" in provenance and "teacher" not in provenance

    @cached_property
    def policy(self) -> Mapping[str, Any]:
        """The routing policy in the artifact; empty where it answers everything."""
        return self.artifact.routing

    @cached_property
    def routing(self) -> RoutingResult | None:
        """Quality of model and teacher together, as the policy routes; None where nothing is routed."""
        found = self.evidence.get("routing") if self.evidence else None
        return None if found is None else RoutingResult.from_json(found)

    @property
    def judged(self) -> tuple[SliceResult, ...]:
        """The slices as the gate read them: of the routed system where there is a policy."""
        if self.routing is not None:
            return tuple(entry.quality for entry in self.routing.slices)
        return self.evaluation.slices if self.evaluation is not None else ()

    @cached_property
    def evaluation(self) -> EvalResult | None:
        """Quality per slice of the model by itself."""
        found = self.evidence["evaluation"] if self.evidence else None
        return None if found is None else EvalResult.from_json(found)

    @cached_property
    def ported(self) -> tuple[Ported, ...]:
        """Answers on other instruction sets."""
        return tuple(Ported.from_json(entry) for entry in self.evidence["ported"]) if self.evidence else ()

    @property
    def basis(self) -> tuple[str, str]:
        """What figures of time and memory rest on, and why."""
        if self.evidence is not None:
            return str(self.evidence["basis"]), str(self.evidence["basis_reason"])
        return (str(self.verdict["basis"]), "") if self.verdict else ("not measured", "")

    def figure(self, name: str) -> Figure | None:
        """Return a measured figure, as `p95_ms`; None where it was not, or not on real hardware."""
        found = self.evidence[name] if self.evidence and self.is_timed else None
        return None if found is None else Figure(found["estimate"], found["low"], found["high"])

    @property
    def peak_rss_bytes(self) -> int | None:
        """Peak resident memory of the measured process."""
        return self.evidence["peak_rss_bytes"] if self.evidence and self.is_timed else None

    @property
    def is_timed(self) -> bool:
        """Whether figures of time and memory say something of the target."""
        return self.basis[0] in ("native", "proxy")


def gather(
    artifact: Artifact,
    target: Target,
    verdict: Mapping[str, Any] | None,
    evidence: Mapping[str, Any] | None,
    origin: Origin,
    objection: str = "",
) -> Facts:
    """Put the documents together.

    Raises:
        BadInputError: a document is of another artifact or target.
    """
    facts = Facts(artifact, target, origin, verdict, evidence, objection)
    if verdict is not None and verdict["target"] != target.name:
        raise BadInputError(f"the verdict is of target {verdict['target']}, not of {target.name}")
    if verdict is not None:
        assert facts.variant
    if evidence is not None and evidence["artifact_digest"] != artifact.digest:
        found = str(evidence["artifact_digest"])
        raise BadInputError(f"the evidence is of artifact {found[:12]}, not of {artifact.digest[:12]}")
    return facts
