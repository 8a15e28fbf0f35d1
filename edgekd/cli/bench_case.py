"""One measurement of an artifact: what was asked for, and against which limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgekd.ci.artifacts import artifact_subject
from edgekd.ci.limits import NO_LIMITS, JobLimits, check_limits, limit_line, plan_longer
from edgekd.compile import Artifact
from edgekd.config import Target
from edgekd.gate.check import Check
from edgekd.measure.basis import find_basis
from edgekd.measure.device import Device, ThisMachine
from edgekd.measure.environment import read_environment
from edgekd.measure.result import BenchResult
from edgekd.progress import show_progress
from edgekd.single.bench import Texts, bench_artifact
from edgekd.single.requests import USUAL


@dataclass(frozen=True)
class Asked:
    """What was asked for on the command line."""

    artifact: Path
    baseline: Path | None = None
    texts: Path | None = None
    out: Path = Path("edgekd-bench")
    on: str | None = None
    also: tuple[str, ...] = ()
    count: bool = False
    effect: float = 0.03
    target: str | None = None
    limits: JobLimits = NO_LIMITS


@dataclass(frozen=True)
class Case:
    """What is measured, by what, and against which limits."""

    asked: Asked
    artifact: Artifact
    texts: Texts
    target: Target | None

    @property
    def name(self) -> str:
        """What results call the artifact."""
        return artifact_subject(self.artifact, self.threads).name

    @property
    def threads(self) -> int:
        """Threads that the runtime may use: as on the target, if one is named."""
        return 1 if self.target is None else self.target.threads

    @property
    def candidates(self) -> int:
        """Candidates of the requests of which the limit on p95 is."""
        return USUAL if self.target is None else self.target.limits.candidates or USUAL

    def check(self, result: BenchResult, device: Device) -> tuple[Check, ...]:
        """Hold a measurement of the artifact against the limits of the command line and of the target.

        Where it had too few calls for a p95 that has a limit, the artifact is measured again, alone.
        """
        limits = self.asked.limits.over(self.target)
        if plan := plan_longer(limits, result, self.name):
            with show_progress("limits") as progress:
                folder = self.asked.out / "limits"
                result = bench_artifact(self.artifact, self.texts, folder, plan, progress, device)
        return check_limits(limits, result, self.name, self.artifact.size_bytes, self.artifact.recipe)


def limit_lines(case: Case, checks: Sequence[Check]) -> list[str]:
    """Print each limit, and what the target's are limits of."""
    lines = [f"  limit {limit_line(check)}" for check in checks]
    if case.target is not None and checks and case.asked.on is None:
        basis, reason = find_basis(case.target.hardware, read_environment(1))
        lines.append(f"  limits of {case.target.name}, {basis}: {reason}")
    return lines


@contextmanager
def open_device(host: str | None) -> Iterator[Device]:
    """Measure on the host while the block is open; on this machine without one."""
    if host is None:
        yield ThisMachine()
        return
    from edgekd.measure.remote.ssh import open_ssh

    with open_ssh(host) as device:
        yield device
