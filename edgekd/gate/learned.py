"""Which texts a promoted artifact was made from: it cannot be judged on those.

A promotion keeps the digests of every text that was not a test text then, as one object of the registry that
its ledger line names: training, unlabelled, calibration and validation rows. Where a later run draws its test
rows anew, some of them may be among these.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from edgekd.gate.history import read_history
from edgekd.gate.objects import keep_text
from edgekd.gate.rows import digest_rows, read_list


def keep_learned(registry: Path, texts: Iterable[str]) -> str:
    """Keep the digests of texts that an artifact was made from, and return the object's sha256."""
    return keep_text(registry, json.dumps(sorted(digest_rows(texts)), separators=(",", ":")))


def count_learned(
    registry: Path, project: str, target: str, artifact_digest: str, texts: Iterable[str]
) -> int:
    """Count the texts that a promoted artifact was made from; 0 where its line does not say.

    Raises:
        LedgerError: the list that the line names is missing or changed.
    """
    entries = read_history(registry, project, target).entries
    lists = {e.learned for e in entries if e.artifact_digest == artifact_digest and e.learned}
    known: frozenset[str] = frozenset().union(*(read_list(registry, digest) for digest in lists))
    return len(known & digest_rows(texts)) if known else 0
