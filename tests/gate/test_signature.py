"""Signed by a key that openssl made, and verified by openssl as well."""

import base64
import json
import subprocess

import pytest

from edgekd.errors import BadInputError, LedgerError
from edgekd.gate.ledger import Decision, Provenance, append_entry, read_ledger

pytest.importorskip("cryptography", reason="needs the extra sign")
from edgekd.gate.signature import sign_ledger, verify_signatures


def openssl(*arguments):
    return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True).stdout


def make_key(folder, name):
    key, public = folder / name, folder / f"{name}.pub"
    openssl("genpkey", "-algorithm", "ed25519", "-out", key)
    openssl("pkey", "-in", key, "-pubout", "-out", public)
    return key, public


def append(path, variant):
    decision = Decision("promote", "shop", "lambda-x86", variant, "a" * 64, "b" * 64)
    append_entry(path, decision, Provenance({}, "d" * 64, 7, "machine"))


@pytest.fixture
def ledger(tmp_path):
    path = tmp_path / "registry" / "ledger.jsonl"
    path.parent.mkdir()
    for variant in ("one", "two"):
        append(path, variant)
    return path


@pytest.fixture
def keys(tmp_path):
    return make_key(tmp_path, "own")


def signatures(ledger):
    return ledger.with_name("ledger.signatures.jsonl")


def test_openssl_verifies_what_was_signed(ledger, keys, tmp_path):
    assert sign_ledger(ledger, keys[0]) == 2
    assert sign_ledger(ledger, keys[0]) == 2  # writes nothing
    (line,) = map(json.loads, signatures(ledger).read_text().splitlines())
    assert line["digest"] == read_ledger(ledger)[-1].digest
    (tmp_path / "message").write_text(f"edgekd ledger line 2 {line['digest']}")
    (tmp_path / "signature").write_bytes(base64.b64decode(line["signature"]))
    told = openssl(
        "pkeyutl", "-verify", "-pubin", "-inkey", keys[1], "-rawin",
        "-in", tmp_path / "message", "-sigfile", tmp_path / "signature",
    )  # fmt: skip
    assert b"Signature Verified Successfully" in told
    assert verify_signatures(ledger, keys[1]) == 1


def test_new_lines_must_be_signed_too(ledger, keys):
    with pytest.raises(LedgerError, match="lines 1 on are not signed"):
        verify_signatures(ledger, keys[1])
    sign_ledger(ledger, keys[0])
    append(ledger, "three")
    with pytest.raises(LedgerError, match="line 3 is not signed"):
        verify_signatures(ledger, keys[1])
    sign_ledger(ledger, keys[0])
    assert verify_signatures(ledger, keys[1]) == 2


def test_whole_lines_cut_off_are_found(ledger, keys):
    sign_ledger(ledger, keys[0])
    ledger.write_bytes(ledger.read_bytes().splitlines(keepends=True)[0])
    with pytest.raises(LedgerError, match="line 2 was signed and is gone; 1 are left"):
        verify_signatures(ledger, keys[1])


def test_a_ledger_written_anew_with_all_its_digests_is_found(ledger, keys):
    sign_ledger(ledger, keys[0])
    ledger.unlink()
    for variant in ("one", "other"):
        append(ledger, variant)
    with pytest.raises(LedgerError, match="line 2 is not the one that was signed"):
        verify_signatures(ledger, keys[1])


def test_a_signature_by_another_key_is_none(ledger, keys, tmp_path):
    other, _ = make_key(tmp_path, "other")
    sign_ledger(ledger, other)
    with pytest.raises(LedgerError, match="not signed by"):
        verify_signatures(ledger, keys[1])
    line = json.loads(signatures(ledger).read_text())
    sign_ledger(ledger, keys[0])
    own = json.loads(signatures(ledger).read_text().splitlines()[1])
    signatures(ledger).write_text(json.dumps({**own, "signature": line["signature"]}) + "\n")  # passed off
    with pytest.raises(LedgerError, match="signature of line 2 is not of this key"):
        verify_signatures(ledger, keys[1])


def test_what_is_no_key_or_no_list_is_one_line(ledger, keys, tmp_path):
    rsa = tmp_path / "rsa"
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024", "-out", rsa)
    for wrong in (rsa, keys[1], tmp_path / "none", tmp_path):
        with pytest.raises(BadInputError, match="openssl genpkey"):
            sign_ledger(ledger, wrong)
    for wrong in (keys[0], tmp_path / "none"):
        with pytest.raises(BadInputError, match="openssl genpkey"):
            verify_signatures(ledger, wrong)
    signatures(ledger).write_text('{"sequence": "x"}\n')
    for call, key in ((sign_ledger, keys[0]), (verify_signatures, keys[1])):
        with pytest.raises(LedgerError, match="is not a list of signatures"):
            call(ledger, key)


def test_nothing_to_sign(tmp_path, keys):
    with pytest.raises(LedgerError, match="has no line to sign"):
        sign_ledger(tmp_path / "ledger.jsonl", keys[0])
