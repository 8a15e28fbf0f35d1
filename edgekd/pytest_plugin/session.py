"""What a session of pytest was asked for and has measured, and the job's files of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from edgekd.ci.cases import Alone, CaseOutcome, JobCase
    from edgekd.ci.limits import JobLimits
    from edgekd.measure.compare import Comparison

LIMITS = ("p95_ms", "memory_mib")


class Seen(NamedTuple):
    """What the session's tests measured: a line each, the comparisons, the rest, and other cases."""

    lines: list[str]
    comparisons: list[Comparison]
    alone: list[Alone]
    cases: list[JobCase]

    def add_case(self, subject: str, name: str, outcome: CaseOutcome, line: str) -> None:
        """Note what came of something else than a comparison."""
        from edgekd.ci.cases import JobCase

        self.cases.append(JobCase(subject, name, outcome, line))


SEEN = pytest.StashKey[Seen]()


def read_limits(config: pytest.Config) -> JobLimits:
    """Return the limits that the session was given.

    Raises:
        BadInputError: one is no limit.
    """
    from edgekd.ci.limits import JobLimits

    return JobLimits(*(config.getoption(f"edgekd_{name}") for name in LIMITS))


def write_files(config: pytest.Config) -> None:
    """Write the job's files, where a folder is named for them."""
    folder, seen = config.getoption("edgekd_ci"), config.stash[SEEN]
    if folder is None:
        return
    from edgekd.ci.write import write_ci_files
    from edgekd.errors import BadInputError

    try:
        write_ci_files(seen.comparisons, folder, cases=seen.cases, alone=seen.alone)
    except BadInputError as error:
        raise pytest.UsageError(f"--edgekd-ci: {error}") from None
