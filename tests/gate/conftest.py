from __future__ import annotations

import hashlib

import pytest

from edgekd.config import Target
from edgekd.errors import ArtifactError
from edgekd.evaluate.result import Calibration, Drop, EvalResult, SliceResult
from edgekd.gate.check import Check
from edgekd.gate.evidence import VariantEvidence
from edgekd.gate.history import find_place, read_history
from edgekd.gate.ledger import Provenance, read_ledger
from edgekd.gate.objects import keep_text
from edgekd.gate.promotion import Candidate, current, promote, rollback
from edgekd.gate.rows import add_rows, digest_rows
from edgekd.gate.terms import Terms
from edgekd.gate.verdict import GateVerdict, VariantVerdict
from edgekd.gate.verify import verify_registry
from edgekd.stats.interval import Interval
from edgekd.stats.paired import paired_drop_bound
from edgekd.stats.proportion import wilson_interval
from edgekd.store import digest_bytes, digest_file, locked


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


PROVENANCE = Provenance({"bench.json": digest_bytes(b"{}")}, "d" * 64, 0, "machine")


def manifest_digest(folder):
    if (folder / "model.onnx").read_bytes() != b"weights" * 100:
        raise ArtifactError(f"{folder}: model.onnx is not what the manifest says")
    return digest_file(folder / "manifest.json")


class Shop:
    """A registry and artifacts to promote in it."""

    def __init__(self, root):
        self.registry, self._root = root / "registry", root
        self.ledger = self.registry / "ledger.jsonl"
        self.refusals = root / "refusals"
        keep_text(self.registry, "{}")

    def artifact(self, name):
        folder = self._root / "artifacts" / name
        if not folder.exists():
            (folder / "serving").mkdir(parents=True)
            (folder / "manifest.json").write_text(name)
            (folder / "model.onnx").write_bytes(b"weights" * 100)
            (folder / "serving" / "run.py").write_text("pass")
        return folder, digest_file(folder / "manifest.json")

    def look(self):
        """Digest of what is promoted, by the ledger's word."""
        return read_history(self.registry, "shop", "t").current

    def promote(self, name, **changes):
        folder, digest = self.artifact(name)
        verdict = changes.pop("verdict", make_verdict(digest, variant=name))
        candidate = Candidate(folder, digest, manifest_digest)
        arguments = (self.registry, "shop", "t", candidate, verdict, PROVENANCE)
        expects = changes.pop("expects") if "expects" in changes else self.look()
        return promote(*arguments, expects=expects, terms=Terms(**changes))

    def rollback(self, expects=None, **changes):
        return rollback(self.registry, "shop", "t", expects=expects or self.look() or "", **changes)

    def judge_on(self, **texts):
        """Note test rows slice by slice, as a run does before it promotes; returns their digests."""
        rows = {name: digest_rows(listed) for name, listed in texts.items()}
        place = find_place(self.registry, "shop", "t")
        with locked(place / ".lock"):
            add_rows(place, rows)
        return rows

    def verify(self):
        return verify_registry(self.registry, manifest_digest)

    def current(self):
        """Name of what is promoted, after checking that it is whole."""
        found = current(self.registry, "shop", "t")
        if found is None:
            return None
        digest, path = found
        assert manifest_digest(path) == digest
        assert (path / "serving" / "run.py").read_text() == "pass"
        assert (self.registry / "shop" / "t" / "current").resolve() == path.resolve()
        return (path / "manifest.json").read_text()

    def events(self):
        return [(entry.event, entry.variant) for entry in read_ledger(self.ledger)]


class Make:
    """Builders of what gates read, for tests."""

    digest_of = staticmethod(digest_of)
    spread = staticmethod(spread)
    drop = staticmethod(make_drop)
    slice = staticmethod(make_slice)
    evidence = staticmethod(make_evidence)
    target = staticmethod(make_target)
    verdict = staticmethod(make_verdict)
    shop = Shop
    PROVENANCE = PROVENANCE


@pytest.fixture(scope="session")
def make():
    return Make


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path)
