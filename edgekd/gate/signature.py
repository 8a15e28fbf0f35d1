"""Sign a ledger with an Ed25519 key (RFC 8032), so that nobody without the key can write it anew.

    registry/ledger.signatures.jsonl    {"sequence": 7, "digest": "...", "key": "...", "signature": "..."}

A line's digest covers every line before it and, by their sha256, the files that they rest on; so one
signature of the newest line is one of all. It also tells what a chain alone cannot: that its end was cut off.
`key` is the sha256 of the raw public key; what is signed is `edgekd ledger line <sequence> <digest>`.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekd.errors import BadInputError, LedgerError
from edgekd.evaluate.record import Record
from edgekd.gate.ledger import LedgerEntry, read_ledger
from edgekd.store import digest_bytes, locked, parse_json, write_atomic

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_MAKE = "make one: openssl genpkey -algorithm ed25519 -out KEY; openssl pkey -in KEY -pubout -out KEY.pub"


@dataclass(frozen=True)
class Signature(Record):
    """A signature of one line."""

    sequence: int
    digest: str
    key: str
    signature: str


def sign_ledger(path: Path, key_file: Path) -> int:
    """Sign the newest line with a private key in PEM; returns its number. Signing it again writes nothing.

    Raises:
        LedgerError: the chain does not hold, or there is no line.
        BadInputError: the file is no such key.
    """
    key = _read_private(key_file)
    with locked(path):
        entries = read_ledger(path)
        if not entries:
            raise LedgerError(f"{path}: has no line to sign; promote something first")
        newest, known = entries[-1], _read(path)
        own = _fingerprint(key.public_key())
        if any((s.sequence, s.digest, s.key) == (newest.sequence, newest.digest, own) for s in known):
            return newest.sequence
        made = base64.b64encode(key.sign(_message(newest.sequence, newest.digest))).decode()
        lines = [*known, Signature(newest.sequence, newest.digest, own, made)]
        write_atomic(_place(path), "".join(json.dumps(line.to_json()) + "\n" for line in lines))
    return newest.sequence


def verify_signatures(path: Path, public_file: Path) -> int:
    """Hold a ledger against a public key in PEM; returns how many signatures of that key there are.

    Raises:
        LedgerError: a signature is not of the line that it names, that line is gone, or the newest line is
            not signed by this key.
        BadInputError: the file is no such key.
    """
    key = _read_public(public_file)
    entries = read_ledger(path)
    found = [line for line in _read(path) if line.key == _fingerprint(key)]
    for line in found:
        _verify(path, line, entries, key)
    signed = max((line.sequence for line in found), default=0)
    if signed < len(entries):
        unsigned = f"line {len(entries)} is" if signed == len(entries) - 1 else f"lines {signed + 1} on are"
        raise LedgerError(
            f"{path}: {unsigned} not signed by {public_file}; if they are yours: edgekd ledger sign PROJECT"
        )
    return len(found)


def _verify(path: Path, line: Signature, entries: Sequence[LedgerEntry], key: Ed25519PublicKey) -> None:
    from cryptography.exceptions import InvalidSignature

    if line.sequence > len(entries):
        raise LedgerError(
            f"{path}: line {line.sequence} was signed and is gone; {len(entries)} are left; restore the file"
        )
    try:
        key.verify(base64.b64decode(line.signature), _message(line.sequence, line.digest))
    except (InvalidSignature, binascii.Error):
        raise LedgerError(
            f"{_place(path)}: the signature of line {line.sequence} is not of this key; restore the file"
        ) from None
    if line.sequence < 1 or entries[line.sequence - 1].digest != line.digest:
        raise LedgerError(f"{path}: line {line.sequence} is not the one that was signed; restore the file")


def _read(path: Path) -> list[Signature]:
    place = _place(path)
    try:
        lines = place.read_text(encoding="utf-8").splitlines()
        return [Signature.from_json(parse_json(line)) for line in lines]
    except FileNotFoundError:
        return []
    except (ValueError, BadInputError) as error:
        raise LedgerError(f"{place}: is not a list of signatures ({error}); restore it") from None


def _place(path: Path) -> Path:
    return path.with_name("ledger.signatures.jsonl")


def _message(sequence: int, digest: str) -> bytes:
    return f"edgekd ledger line {sequence} {digest}".encode()


def _fingerprint(key: Ed25519PublicKey) -> str:
    return digest_bytes(key.public_bytes_raw())


def _read_private(path: Path) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(_read_bytes(path), password=None)
    except (ValueError, TypeError):  # no PEM; locked by a passphrase
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadInputError(f"{path}: is no Ed25519 private key in PEM without a passphrase; {_MAKE}")
    return key


def _read_public(path: Path) -> Ed25519PublicKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(_read_bytes(path))
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise BadInputError(f"{path}: is no Ed25519 public key in PEM; {_MAKE}")
    return key


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read ({error.strerror}); {_MAKE}") from None
