"""Which test rows a target has been judged on, slice by slice: what counts as newer evidence.

    registry/<project>/<target>/rows.json    {"<slice>": ["<12 digits of a row's digest>", ...]}

A row is its text, in one case and spacing: the same text measured, labelled or listed again is no newer
row. The file grows with every run that promotes or could have; a rollback keeps the lists of the harmed
slices as they are then, as objects of the registry.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from edgekd.data.normalise import normalise
from edgekd.errors import LedgerError
from edgekd.evaluate.scorer import JudgedRows
from edgekd.gate.harm import Harm
from edgekd.gate.objects import keep_text, object_path
from edgekd.store import digest_bytes, digest_file, parse_json, write_atomic

JudgedTexts = Mapping[str, frozenset[str]]
"""Digests of the test rows in each slice."""
_DIGITS = 12


def digest_rows(texts: Iterable[str]) -> frozenset[str]:
    """Digest rows by their texts."""
    plain = map(normalise, texts)
    return frozenset(digest_bytes(text.encode("utf-8", "surrogatepass"))[:_DIGITS] for text in plain)


def slice_rows(texts: Sequence[str], rows: JudgedRows) -> JudgedTexts:
    """Digest the test rows of each slice; of one that judges recall, the rows of its classes alone."""
    found: dict[str, frozenset[str]] = {}
    for entry in rows.slices:
        mask = rows.masks[entry.name]
        if entry.sought:
            mask = mask & np.isin(rows.truth, [list(rows.outputs).index(name) for name in entry.sought])
        found[entry.name] = digest_rows(texts[int(place)] for place in np.flatnonzero(mask))
    return found


def add_rows(place: Path, rows: JudgedTexts) -> None:
    """Add rows to those that a target has been judged on; the caller holds the target's lock."""
    known = read_rows(place)
    if all(found <= known.get(name, frozenset()) for name, found in rows.items()):
        return
    names = known.keys() | rows.keys()
    merged = {name: sorted(known.get(name, frozenset()) | rows.get(name, frozenset())) for name in names}
    write_atomic(place / "rows.json", json.dumps(merged, sort_keys=True, separators=(",", ":")))


def read_rows(place: Path) -> dict[str, frozenset[str]]:
    """Return what a target has been judged on; nothing where no run has said so.

    Raises:
        LedgerError: the file is not as it was written.
    """
    path = place / "rows.json"
    try:
        document = parse_json(path.read_text(encoding="utf-8"))
        if not all(_is_list(listed) for listed in document.values()):
            raise ValueError("expected a list of digests for each slice")
        return {str(name): frozenset(listed) for name, listed in document.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError, TypeError) as error:
        raise LedgerError(f"{path}: is no list of test rows ({error}); restore it") from None


def freeze_rows(registry: Path, place: Path, harm: Harm) -> Harm:
    """Keep the rows that a target has been judged on in each harmed slice that says nothing yet."""
    known = read_rows(place)
    slices = {}
    for name, digest in harm.slices.items():
        listed = known.get(name, frozenset())
        slices[name] = digest or (keep_text(registry, json.dumps(sorted(listed))) if listed else "")
    return Harm(harm.by, harm.reason, slices)


def unrenewed_slices(registry: Path, harm: Harm | None, rows: JudgedTexts) -> tuple[str, ...]:
    """Name the harmed slices without a row that is newer than the harm.

    Raises:
        LedgerError: the list of rows that the harm names is missing or changed.
    """
    if harm is None or not harm.slices:
        return ("overall",)
    return tuple(
        name
        for name, digest in harm.slices.items()
        if not digest or not rows.get(name, frozenset()) - read_list(registry, digest)
    )


def read_list(registry: Path, digest: str) -> frozenset[str]:
    """Read a list of rows that the registry keeps.

    Raises:
        LedgerError: it is missing or was changed.
    """
    path = object_path(registry, digest)
    if not path.is_file() or digest_file(path) != digest:
        raise LedgerError(f"{path}: the list of rows is missing or was changed; restore it")
    try:
        listed = parse_json(path.read_text(encoding="utf-8"))
    except ValueError:
        listed = None
    if not _is_list(listed):
        raise LedgerError(f"{path}: is no list of test rows; restore it")
    return frozenset(listed)


def _is_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
