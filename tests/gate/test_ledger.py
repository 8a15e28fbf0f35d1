from __future__ import annotations

import hashlib
import json
import multiprocessing
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekd.errors import LedgerError
from edgekd.gate.ledger import Decision, Provenance, append_entry, read_ledger, repair_ledger, verify_ledger

PROVENANCE = Provenance({"evidence/é.json": "e" * 64}, "d" * 64, 7, "machine")


def append(path, variant="static", project="shop"):
    decision = Decision("promote", project, "lambda-x86", variant, "a" * 64, "b" * 64)
    return append_entry(path, decision, PROVENANCE)


@pytest.fixture(scope="module")
def bytes_of_three(tmp_path_factory):
    path = tmp_path_factory.mktemp("ledger") / "ledger.jsonl"
    for variant in ("one", "two", "three"):
        append(path, variant)
    return path.read_bytes()


@pytest.fixture
def ledger(tmp_path, bytes_of_three):
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(bytes_of_three)
    return path


def test_entries_are_chained_and_keep_what_was_given(ledger):
    entries = read_ledger(ledger)
    assert verify_ledger(ledger) == 3
    assert [entry.variant for entry in entries] == ["one", "two", "three"]
    assert [entry.sequence for entry in entries] == [1, 2, 3]
    assert entries[0].previous == "0" * 64
    assert entries[2].previous == entries[1].digest
    assert entries[0].evidence == PROVENANCE.evidence
    # The digest can be had without this package: sha256 of the line without its digest.
    fields = json.loads(ledger.read_text(encoding="utf-8").splitlines()[1])
    digest = fields.pop("digest")
    canonical = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
    assert hashlib.sha256(canonical).hexdigest() == digest


def test_a_missing_ledger_is_empty_but_does_not_verify(tmp_path):
    assert read_ledger(tmp_path / "none") == ()
    assert not repair_ledger(tmp_path / "none")
    with pytest.raises(LedgerError, match="cannot be read"):
        verify_ledger(tmp_path / "none")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_changed_byte_is_found_in_its_line(tmp_path, bytes_of_three, data):
    place = data.draw(st.integers(0, len(bytes_of_three) - 1))
    changed = bytearray(bytes_of_three)
    changed[place] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "changed.jsonl"
    path.write_bytes(changed)
    line = bytes_of_three[:place].count(b"\n") + 1
    with pytest.raises(LedgerError, match=rf"line {line}:"):
        verify_ledger(path)
    # Nor is anything added to it, or taken from it: a changed line end is no torn line.
    with pytest.raises(LedgerError):
        append(path)
    assert path.read_bytes() == changed


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda lines: lines[1:], 1),
        (lambda lines: [lines[0], lines[2]], 2),
        (lambda lines: [lines[1], lines[0], lines[2]], 1),
        (lambda lines: [*lines, lines[2]], 4),
        (lambda lines: [lines[0], b"\n", *lines[1:]], 2),
    ],
)
def test_lines_removed_moved_or_added_are_found(ledger, change, line):
    ledger.write_bytes(b"".join(change(ledger.read_bytes().splitlines(keepends=True))))
    with pytest.raises(LedgerError, match=f"line {line}:"):
        verify_ledger(ledger)


def test_a_line_changed_with_its_digest_breaks_the_next(ledger):
    lines = ledger.read_text(encoding="utf-8").splitlines()
    fields = json.loads(lines[1]) | {"variant": "forged"}
    fields.pop("digest")
    canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    fields["digest"] = hashlib.sha256(canonical.encode()).hexdigest()
    lines[1] = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    ledger.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(LedgerError, match="line 3: does not follow"):
        verify_ledger(ledger)


def test_every_torn_last_line_is_passed_over_and_repaired(ledger, bytes_of_three):
    start = bytes_of_three.rindex(b"\n", 0, -1) + 1
    for end in (
        *range(start + 1, len(bytes_of_three) - 3, 11),
        *range(len(bytes_of_three) - 3, len(bytes_of_three)),
    ):
        ledger.write_bytes(bytes_of_three[:end])
        whole = 3 if end == len(bytes_of_three) - 1 else 2  # only the line end is missing: kept
        assert len(read_ledger(ledger)) == whole
        with pytest.raises(LedgerError, match="line 3: is cut short"):
            verify_ledger(ledger)
        assert repair_ledger(ledger)
        assert verify_ledger(ledger) == whole
        assert ledger.read_bytes() == bytes_of_three[: len(bytes_of_three) if whole == 3 else start]


def test_an_append_repairs_first(ledger, bytes_of_three):
    ledger.write_bytes(bytes_of_three[:-40])
    assert append(ledger, "again").sequence == 3
    assert [entry.variant for entry in read_ledger(ledger)] == ["one", "two", "again"]
    assert verify_ledger(ledger) == 3


def _append_many(path, project):
    for number in range(15):
        append(path, f"v{number}", project)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_two_processes_append_at_once_and_nothing_is_lost(tmp_path):
    path = tmp_path / "ledger.jsonl"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_append_many, args=(path, name)) for name in ("a", "b")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert verify_ledger(path) == 30
    for name in "ab":
        mine = [entry.variant for entry in read_ledger(path) if entry.project == name]
        assert mine == [f"v{number}" for number in range(15)]


def test_times_are_utc(ledger):
    assert all(re.fullmatch(r"[\d-]{10}T[\d:.]{12}\+00:00", e.time_utc) for e in read_ledger(ledger))
