"""What the ledger says of one target: what is promoted, what to go back to, what was taken back."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from edgekd.errors import BadInputError, LedgerError, StaleError
from edgekd.gate.conditions import RollbackConditions
from edgekd.gate.ledger import LedgerEntry, read_ledger
from edgekd.gate.versions import SHORT

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_DECIDING = ("promote", "rollback", "withdraw")


@dataclass
class History:
    """A target's entries, replayed.

    Attributes:
        stack: promotions; the last one is current, those before it are what one can go back to.
        taken_back: the entry that took each artifact back, of those that were not promoted again since.
        taken_models: the same by `LedgerEntry.model`: an equal model with another digest is no other one.
        head: the last entry that decided what is current.
        conditions: those under which the current artifact was promoted; None for ledgers of before.
    """

    entries: list[LedgerEntry] = field(default_factory=list)
    stack: list[LedgerEntry] = field(default_factory=list)
    taken_back: dict[str, LedgerEntry] = field(default_factory=dict)
    taken_models: dict[str, LedgerEntry] = field(default_factory=dict)
    head: LedgerEntry | None = None
    conditions: RollbackConditions | None = None

    @property
    def current(self) -> str | None:
        """Digest of what is promoted by the ledger's word; None where nothing is."""
        return self.stack[-1].artifact_digest if self.stack else None

    @property
    def replaced(self) -> str | None:
        """Digest of what the current artifact replaced; None where it was the first."""
        if not self.stack:
            return None
        if (named := self.stack[-1].replaces) is not None:
            return named or None
        return self.stack[-2].artifact_digest if len(self.stack) > 1 else None

    @property
    def earlier(self) -> LedgerEntry | None:
        """The promotion to go back to: the last one before whose artifact was not taken back."""
        below = (e for e in reversed(self.stack[:-1]) if not self.took_back(e.artifact_digest, e.model))
        return next((e for e in below if e.artifact_digest != self.current), None)

    def took_back(self, artifact_digest: str, model: str | None) -> LedgerEntry | None:
        """Return the entry that took an artifact back, or one with an equal model; None if none did."""
        return self.taken_back.get(artifact_digest) or (self.taken_models.get(model) if model else None)

    def add(self, entry: LedgerEntry) -> None:
        """Replay one more entry.

        Raises:
            LedgerError: it goes back to what was no earlier version, or replaces what was not current.
        """
        self.entries.append(entry)
        before, top = self.current, self.stack[-1] if self.stack else None
        if entry.event in _DECIDING:
            if entry.replaces is not None and entry.replaces != (before or ""):
                raise LedgerError(
                    f"ledger: line {entry.sequence}: replaces {entry.replaces[:SHORT] or 'nothing'}, but "
                    f"{(before or 'nothing')[:SHORT]} was promoted for {entry.target}; restore the file"
                )
            self.head = entry
        if entry.event == "promote":
            if entry.harm is not None:
                self._take_back(top, entry)
            self.taken_back.pop(entry.artifact_digest, None)
            self.taken_models.pop(entry.model or "", None)
            self.stack.append(entry)
            self.conditions = entry.conditions
        elif entry.event in ("rollback", "withdraw"):
            self._go_back(entry)
            self._take_back(top, entry)
            self.conditions = self._kept_conditions()
        elif entry.event == "keep" and entry.conditions is not None:
            self.conditions = entry.conditions

    def _take_back(self, top: LedgerEntry | None, entry: LedgerEntry) -> None:
        if top is not None:
            self.taken_back[top.artifact_digest] = entry
            if top.model is not None:
                self.taken_models[top.model] = entry

    def _go_back(self, entry: LedgerEntry) -> None:
        """Take promotions off the stack until the one that the entry names is the last."""
        if entry.event == "withdraw" and not entry.artifact_digest:
            self.stack.clear()
            return
        left = self.stack[:-1]
        while left and left[-1].artifact_digest != entry.artifact_digest:
            skipped = left.pop()
            is_taken = self.took_back(skipped.artifact_digest, skipped.model)
            if entry.event == "rollback" and not is_taken and skipped.artifact_digest != self.current:
                left.clear()
        if not left:
            raise LedgerError(
                f"ledger: line {entry.sequence}: takes {entry.target} back to "
                f"{entry.artifact_digest[:SHORT]}, which was not the version before; restore the file"
            )
        self.stack = left

    def _kept_conditions(self) -> RollbackConditions | None:
        """The conditions of the promotion that is current again, or those written for it since."""
        if not self.stack:
            return None
        since = (e for e in reversed(self.entries) if e.sequence >= self.stack[-1].sequence)
        own = (e for e in since if e.artifact_digest == self.current and e.event in ("promote", "keep"))
        return next((e.conditions for e in own if e.conditions is not None), None)

    def require_current(self, expects: str | None) -> None:
        """Refuse to replace anything but what the caller expects; the beginning of a digest will do.

        Raises:
            StaleError: something else is promoted now.
        """
        now = self.current
        if now == expects or (now and expects and len(expects) >= 8 and now.startswith(expects)):
            return
        where = f"{self.entries[-1].project}/{self.entries[-1].target}" if self.entries else "this target"
        by = f" (line {self.head.sequence} of the ledger)" if self.head is not None else ""
        raise StaleError(
            f"{where}: expected to replace {(expects or 'nothing')[:SHORT]}, but "
            f"{(now or 'nothing')[:SHORT]} is promoted now{by}; look at it, then run this again"
        )


def replay_entries(entries: Iterable[LedgerEntry]) -> History:
    """Replay the entries of one target, in the ledger's order."""
    history = History()
    for entry in entries:
        history.add(entry)
    return history


def read_history(registry: Path, project: str, target: str) -> History:
    """Read and replay what the ledger says of one target.

    Raises:
        LedgerError: the chain does not hold, or its entries do not fit one another.
    """
    entries = read_ledger(registry / "ledger.jsonl")
    return replay_entries(e for e in entries if (e.project, e.target) == (project, target))


def find_place(registry: Path, project: str, target: str) -> Path:
    """Return a target's folder in the registry.

    Raises:
        BadInputError: a name could lead out of it.
    """
    for kind, name in (("project", project), ("target", target)):
        if not _NAME.fullmatch(name):
            raise BadInputError(f"{kind} '{name}': a name in the registry has letters, digits and . _ - only")
    return registry / project / target
