"""Which lines of live counts were counted, and what they come to: each line once, whatever file it is in.

    registry/<project>/<target>/live.json

The file is replaced in one step, before anything is decided. A kill after that loses nothing: the next call
decides from what is counted, with or without new lines. Sums belong to one promotion, by the number of its
line in the ledger, so an artifact that is promoted again starts from nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgekd.errors import BadInputError, LedgerError
from edgekd.evaluate.record import Record
from edgekd.gate.history import History
from edgekd.gate.live import ARMS, CANDIDATE, Line
from edgekd.stats.sequential import Arm
from edgekd.store import parse_json, write_atomic

_MOST = 10**15
Sums = dict[str, dict[str, tuple[int, int]]]
"""By slice or figure, then by arm: hits and rows."""


@dataclass(frozen=True)
class Counted(Record):
    """What was counted for a target so far: `lines` by key, `sums` by promotion."""

    lines: tuple[str, ...] = ()
    sums: Mapping[str, Sums] = field(default_factory=dict)

    def arms(self, promotion: int) -> dict[str, dict[str, Arm]]:
        """Return what was counted since a promotion, by slice or figure and arm."""
        sums = self.sums.get(str(promotion), {})
        return {
            name: {arm: Arm(*arms[arm]) if arm in arms else Arm(0, 0) for arm in ARMS}
            for name, arms in sums.items()
        }


def read_counted(place: Path) -> Counted:
    """Read what was counted for a target; nothing where there is no file.

    Raises:
        LedgerError: the file is not as it was written.
    """
    path = place / "live.json"
    try:
        counted = Counted.from_json(parse_json(path.read_text(encoding="utf-8")))
        sums = (pair for of in counted.sums.values() for arms in of.values() for pair in arms.values())
        if not all(0 <= hits <= n < _MOST for hits, n in sums):
            raise ValueError("hits are more than rows, or either is no count")
        return counted
    except FileNotFoundError:
        return Counted()
    except (ValueError, BadInputError) as error:
        raise LedgerError(f"{path}: is no record of counts ({error}); restore it") from None


def count_lines(place: Path, history: History, lines: Iterable[Line]) -> tuple[Counted, int]:
    """Add the lines that speak of what is promoted now; returns the record and how many were new.

    The caller holds the target's lock. A line of the candidate counts if it names the current artifact; one
    of the incumbent if it names what that one replaced, or something that is no artifact of this target.
    """
    before = read_counted(place)
    known, added = set(before.lines), []
    promotion = str(history.stack[-1].sequence)
    sums: Sums = {name: dict(arms) for name, arms in before.sums.get(promotion, {}).items()}
    for line in lines:
        if line.key in known or not _speaks(line, history):
            continue
        known.add(line.key)
        added.append(line.key)
        hits, n = sums.setdefault(line.name, {}).get(line.arm, (0, 0))
        sums[line.name][line.arm] = (hits + line.hits, n + line.n)
    if not added:
        return before, 0
    after = Counted((*before.lines, *added), {**before.sums, promotion: sums})
    write_atomic(place / "live.json", json.dumps(after.to_json(), sort_keys=True, separators=(",", ":")))
    return after, len(added)


def _speaks(line: Line, history: History) -> bool:
    if line.arm == CANDIDATE:
        return bool(history.current and history.current.startswith(line.artifact))
    if history.replaced is not None and history.replaced.startswith(line.artifact):
        return len(line.artifact) >= 8
    digests = {entry.artifact_digest for entry in history.entries if entry.artifact_digest}
    return not any(digest.startswith(line.artifact) for digest in digests)
