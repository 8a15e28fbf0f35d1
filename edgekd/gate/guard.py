"""Watch what is promoted by counts of live traffic, and go back where they show harm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgekd.errors import BadInputError, DataError
from edgekd.gate.canary import Watched
from edgekd.gate.conditions import FALLBACK_RATE
from edgekd.gate.counted import count_lines
from edgekd.gate.harm import WHOLE, Harm
from edgekd.gate.history import find_place
from edgekd.gate.live import judge_counts, read_lines
from edgekd.gate.promotion import Promotion, rollback
from edgekd.gate.settling import settle_locked
from edgekd.gate.versions import SHORT
from edgekd.store import locked


@dataclass(frozen=True)
class Guarded:
    """What counts of live traffic say of one artifact.

    Attributes:
        found: the decision of each slice and figure that has counts.
        new_lines: how many lines of the file were counted now.
        harmed: the slices and figures with proven harm.
        back: what is promoted instead; None where there was no harm or nothing to go back to.
        stuck: why it could not go back.
    """

    artifact_digest: str
    found: Mapping[str, Watched]
    new_lines: int
    harmed: tuple[str, ...] = ()
    back: Promotion | None = None
    stuck: str = ""


def watch_live(registry: Path, project: str, target: str, path: Path) -> Guarded:
    """Count the new lines of a file, judge by the conditions in the ledger, and roll back on proven harm.

    What was counted is on the disk before anything is decided, and the rollback names the artifact that
    was judged: one promoted meanwhile is left alone.

    Raises:
        BadInputError: nothing is promoted, or it was promoted without conditions.
        DataError: a line is not as it should be, or nothing was ever counted of the current artifact.
        StaleError: another artifact was promoted meanwhile.
    """
    place = find_place(registry, project, target)
    with locked(place / ".lock"):
        history = settle_locked(registry, project, target)
        digest, conditions = history.current, history.conditions
        if digest is None:
            raise BadInputError(f"{target}: nothing is promoted that live traffic could speak of")
        if conditions is None:
            raise BadInputError(
                f"{target}: line {history.stack[-1].sequence} of the ledger has no rollback conditions: an "
                "earlier edgekd wrote it; run: edgekd run PROJECT, which writes them"
            )
        counted, new_lines = count_lines(place, history, list(read_lines(path, conditions)))
        arms = counted.arms(history.stack[-1].sequence)
    found = judge_counts(arms, conditions)
    if not found:
        wanted = (history.replaced or "a name that is no artifact of this target")[:SHORT]
        missing = "incumbent" if any(entry["candidate"].n for entry in arms.values()) else "candidate"
        named = digest[:SHORT] if missing == "candidate" else wanted
        raise DataError(
            f"{path}: no rows of the {missing} that were not counted before; expected lines with arm "
            f"{missing} and artifact {named}"
        )
    harmed = tuple(name for name, watched in found.items() if watched.decision == "stop: harm")
    if not harmed:
        return Guarded(digest, found, new_lines)
    reason = "; ".join(f"{name}: {found[name].reason}" for name in harmed)
    harm = Harm("live traffic", reason, dict.fromkeys(map(_slice_of, harmed), ""))
    try:
        back = rollback(registry, project, target, expects=digest, harm=harm)
    except BadInputError as error:  # the harm is said all the same
        return Guarded(digest, found, new_lines, harmed, stuck=str(error))
    return Guarded(digest, found, new_lines, harmed, back)


def _slice_of(name: str) -> str:
    """Where newer test rows would speak of it: routing acts on all rows; of latency no row says anything."""
    return WHOLE if name == FALLBACK_RATE else name
