from __future__ import annotations

import hashlib

import pytest

from edgekd.config import Target
from edgekd.evaluate.result import Calibration, Drop, EvalResult, SliceResult
from edgekd.gate.check import Check
from edgekd.gate.evidence import VariantEvidence
from edgekd.gate.verdict import GateVerdict, VariantVerdict
from edgekd.stats.interval import Interval
from edgekd.stats.paired import paired_drop_bound
from edgekd.stats.proportion import wilson_interval


def digest_of(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def spread(estimate: float, by: float = 0.1) -> Interval:
    return Interval(estimate, estimate * (1 - by), estimate * (1 + by), 0.95)


def make_drop(lost, gained, n, reference="teacher"):
    return Drop(reference, n, lost, gained, (lost - gained) / n, *paired_drop_bound(lost, gained, n), 0.95)


def make_slice(lost=0, gained=0, n=4000, margin=0.015, tier="prove", name="overall", right=0.9, others=()):
    drops = (make_drop(lost, gained, n), *others) if n else ()
    value = wilson_interval(round(right * n), n) if n else None
    return SliceResult(name, tier, "accuracy", margin, n, value, drops)


def make_evidence(variant, p95=5.0, size=1_000_000, slices=None, **changes):
    result = EvalResult(
        digest_of(variant), 4000, tuple(slices or [make_slice()]), Calibration(0.02, 0.1, 0.01, 4000)
    )
    fields = {
        "variant": variant,
        "student": "static",
        "runtime": "onnxruntime",
        "recipe": "fp32",
        "artifact_digest": digest_of(variant),
        "artifact_bytes": size,
        "p50_ms": spread(p95 / 2),
        "p95_ms": spread(p95),
        "cold_start_ms": spread(300),
        "peak_rss_bytes": 100 * 2**20,
        "basis": "native",
        "basis_reason": "",
        "evaluation": result,
        "built": True,
    }
    return VariantEvidence(**{**fields, **changes})


def make_target(objective="p95_ms", **limits):
    limits = limits or {"p95_ms": 20, "cold_start_ms": 1000, "peak_rss_mib": 256, "artifact_mib": 25}
    return Target(
        name="lambda-x86",
        hardware={"arch": "x86_64", "memory_mib": 1769},
        builds=[{"runtime": "onnxruntime", "recipe": "fp32"}],
        limits=limits,
        objective=objective,
    )


def make_verdict(artifact_digest, variant="v", target="t"):
    check = Check("quality overall", "pass", "", "", "")
    entry = VariantVerdict(variant, artifact_digest, "pass", (check,))
    return GateVerdict(target, (entry,), variant, artifact_digest, (), "native", "")


class Make:
    """Builders of what gates read, for tests."""

    digest_of = staticmethod(digest_of)
    spread = staticmethod(spread)
    drop = staticmethod(make_drop)
    slice = staticmethod(make_slice)
    evidence = staticmethod(make_evidence)
    target = staticmethod(make_target)
    verdict = staticmethod(make_verdict)


@pytest.fixture(scope="session")
def make():
    return Make
