"""Were the timed answers the right ones? Checks of what came out of the timed calls themselves."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from edgekd.errors import BadInputError, MeasurementError
from edgekd.measure.result import BenchResult

# A text never seen may take this many times as long as one seen before, median to median.
MAX_CACHE_RATIO = 1.5
# Of numbers in answers: several threads may add up in another order.
TOLERANCE = 1e-4
_NUMBER = re.compile(r"-?\d+\.\d+(?:e[-+]?\d+)?|-?\d+e[-+]?\d+")


class Answers(NamedTuple):
    """What one process answered, as `repr`: untimed (the first inputs), and last in timed calls."""

    untimed: tuple[str, ...]
    timed: tuple[str | None, ...]


def read_answers(path: Path) -> Answers:
    """Read the answers that a process wrote; an input without a timed call has None."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return Answers(tuple(document["untimed"]), tuple(document["timed"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadInputError(f"{path}: answers cannot be read ({error!r}); measure again") from error


def check_expected(name: str, path: Path, expected: Sequence[str]) -> None:
    """Hold every timed answer of one process against the scored one.

    Raises:
        MeasurementError: naming the first input that was answered otherwise.
    """
    for number, (found, scored) in enumerate(zip(read_answers(path).timed, expected, strict=True)):
        if found is not None and not is_same(found, scored):
            raise MeasurementError(
                f"{name}: in the timed run input {number} was answered {found:.120}, when it was scored "
                f"{scored:.120}: the figures would be of other work; evaluate and measure the same artifact"
            )


def audit_answers(result: BenchResult) -> Iterator[str]:
    """List what is wrong with the timed answers, one sentence a subject and kind."""
    for subject in result.subjects:
        answers = [read_answers(result.folder / process.answers) for process in subject.processes]
        # Untimed answers for the first inputs; for the rest what the first process answered when timed.
        first = answers[0].untimed + answers[0].timed[len(answers[0].untimed) :]
        if any(
            timed is not None and before is not None and not is_same(timed, before)
            for found in answers
            for timed, before in zip(found.timed, first, strict=True)
        ):
            yield (
                f"{subject.name}: timed answers are not those given before, or in another process: seed it, "
                "or take out what differs; its latency may be of different work"
            )
        ratios = sorted(
            process.cache_ratio for process in subject.processes if process.cache_ratio is not None
        )
        if ratios and ratios[len(ratios) // 2] > MAX_CACHE_RATIO:
            yield (
                f"{subject.name}: a text never seen takes {ratios[len(ratios) // 2]:.1f} times as long as "
                "one seen before: it remembers answers; switch that off, or the figures are of a cache"
            )


def is_same(one: str, other: str) -> bool:
    """Compare two answers: equal but for numbers with a fraction, which may differ by a part in 10,000.

    >>> is_same("Answer('a', 0.50000)", "Answer('a', 0.50001)"), is_same("('a', 0.5)", "('b', 0.5)")
    (True, False)
    """
    if one == other:
        return True
    if _NUMBER.sub("#", one) != _NUMBER.sub("#", other):
        return False
    pairs = zip(_NUMBER.findall(one), _NUMBER.findall(other), strict=True)
    return all(math.isclose(float(a), float(b), rel_tol=TOLERANCE, abs_tol=TOLERANCE) for a, b in pairs)
