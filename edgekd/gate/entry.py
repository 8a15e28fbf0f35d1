"""One line of the ledger.

| event | what it says |
| --- | --- |
| `promote` | the artifact is current now; with `harm`, what it replaces was proven harmful |
| `rollback` | the artifact, promoted before, is current again; `harm` says why the newer one went |
| `withdraw` | a verdict proved the current one harmful; an earlier one is current again, or none |
| `no promotion` | nothing passed; what was current stays |
| `keep` | the current one passes again after `no promotion`, or gets the conditions that it lacked |
| `shipped anyway` | a person let a bundle or a publication go out that the newest verdict fails |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from edgekd.evaluate.record import Record
from edgekd.gate.conditions import RollbackConditions
from edgekd.gate.harm import Harm

Event = Literal["promote", "rollback", "no promotion", "withdraw", "keep", "shipped anyway"]


@dataclass(frozen=True)
class Provenance:
    """What a verdict rests on: sha256 of every evidence file, of the data, the seed, the machine."""

    evidence: Mapping[str, str]
    data_digest: str
    seed: int
    environment: str


@dataclass(frozen=True)
class Decision:
    """What was decided, of which artifact, by which verdict; empty digests where it is of none."""

    event: Event
    project: str
    target: str
    variant: str
    artifact_digest: str
    verdict_digest: str


@dataclass(frozen=True)
class LedgerEntry(Record):
    """One line; `variant` and `artifact_digest` are empty where nothing was promoted.

    A field with a default is left out of the line where it is absent, so older lines stay as they are.

    Attributes:
        model: of what is promoted, the digest of the files that decide its answers.
        replaces: digest of what was current before; empty where nothing was.
        conditions: what live traffic must hold, of what is promoted.
        harm: why what was replaced may not come back by itself.
        again: why what was taken back before is promoted again: newer test rows, or a person's word.
        shipped: what a person let go out although the newest verdict fails it: bundle or publish.
        learned: sha256 of the list of texts that what is promoted was made from; see `edgekd.gate.learned`.
    """

    sequence: int
    time_utc: str
    previous: str
    event: Event
    project: str
    target: str
    variant: str
    artifact_digest: str
    verdict_digest: str
    evidence: Mapping[str, str]
    data_digest: str
    seed: int
    environment: str
    digest: str
    model: str | None = None
    replaces: str | None = None
    conditions: RollbackConditions | None = None
    harm: Harm | None = None
    again: str | None = None
    shipped: str | None = None
    learned: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; absent fields are left out."""
        document = super().to_json()
        return {key: value for key, value in document.items() if value is not None}


@dataclass(frozen=True)
class Details:
    """What an entry may say beside what was promoted; see `LedgerEntry`."""

    model: str | None = None
    replaces: str | None = None
    conditions: RollbackConditions | None = None
    harm: Harm | None = None
    again: str | None = None
    shipped: str | None = None
    learned: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return those that are there, as plain JSON values."""
        found = {item.name: getattr(self, item.name) for item in fields(self)}
        return {
            name: value.to_json() if isinstance(value, Record) else value
            for name, value in found.items()
            if value is not None
        }


NO_DETAILS = Details()
