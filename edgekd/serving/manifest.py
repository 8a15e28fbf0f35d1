"""Read an artifact's manifest and hold every file against it.

A manifest is one JSON object in one form of bytes: UTF-8, keys sorted, indented by one space, a line break at
the end. The sha256 of those bytes is the artifact's digest, by which ledgers and logs name it. Other bytes
that would read as the same object are refused: an escaped letter, another encoding, a key that stands twice.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .digest import choose_sha256, digest_file
from .errors import ServingError

NAME = "manifest.json"
FORMAT_VERSION = 3
_HEADLESS = 2
"""The format before heads had names: each artifact answered with a label."""
UNSEALED = "0" * 64
"""Stands in the manifest in place of its own sha256 while that is taken."""
# At this depth no other key stands, and no string holds a line break.
_OWN = b'\n "sha256": "'

_FIELDS: dict[str, type] = {
    "task": str,
    "student": str,
    "runtime": str,
    "recipe": str,
    "model": str,
    "input": dict,
    "output": dict,
    "max_tokens": int,
    "precision": dict,
    "isas": list,
    "files": dict,
    "provenance": dict,
    "sha256": str,
}
_MOST = 1 << 24
"""Of tokens, vectors' numbers and candidates: more is a slip, and would only be found when memory ends."""
_NEEDED = ("tokenizer.json", "calibration.json")


def read_manifest(folder: Path, *, verify: bool = True) -> dict[str, Any]:
    """Read `manifest.json`; with `verify`, check every file's size and sha256 too.

    Raises:
        ServingError: naming the file that is missing, unlisted, damaged or outside the folder.
    """
    path = folder / NAME
    try:
        content = path.read_bytes()
        manifest = json.loads(content)
    except FileNotFoundError:
        raise ServingError(f"{path}: not found; an artifact is a folder with a {NAME}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ServingError(f"{path}: not readable as JSON: {error}") from None
    _check_fields(path, manifest)
    for name in manifest["files"]:
        _check_name(path, name)
    if verify:
        check_seal(path, content, manifest)
        _check_files(folder, manifest["files"])
    return dict(manifest)


def seal(manifest: Mapping[str, Any]) -> bytes:
    """Return the bytes of a manifest, with its own sha256 in place of what it says of itself.

    Raises:
        ValueError: it holds what JSON or UTF-8 cannot: a number that is none, half a character.
    """
    document = {**manifest, "sha256": UNSEALED}
    text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    content = text.encode() + b"\n"
    start = content.index(_OWN) + len(_OWN)
    digest: bytes = choose_sha256(len(content))(content).hexdigest().encode()
    return content[:start] + digest + content[start + len(digest) :]


def check_seal(path: Path, content: bytes, manifest: Mapping[str, Any]) -> None:
    """Hold the bytes of a manifest against what they read as.

    Raises:
        ServingError: they are not the bytes that were sealed.
    """
    try:
        sealed = seal(manifest)
    except (ValueError, RecursionError) as error:
        raise ServingError(f"{path}: cannot have been sealed ({error}); compile it again") from None
    if sealed == content:
        return
    written = str(manifest["sha256"])
    if written.encode(errors="replace") not in sealed:
        raise ServingError(f"{path}: its own sha256 is not {written[:12]}…: it was changed; compile it again")
    raise ServingError(
        f"{path}: says what was sealed, but in other bytes; expected UTF-8, each key once, keys sorted, and "
        "an indent of one space; it was saved by another program: compile it again"
    )


def digest_manifest(folder: Path) -> str:
    """Return the digest of an artifact: the sha256 of its manifest's bytes, in hexadecimal."""
    return digest_file(folder / NAME, choose_sha256(0))


def _check_fields(path: Path, manifest: Any) -> None:
    if not isinstance(manifest, dict):
        raise ServingError(f"{path}: expected an object, got {type(manifest).__name__}")
    version = manifest.get("format_version")
    if version not in (_HEADLESS, FORMAT_VERSION) or isinstance(version, bool):
        raise ServingError(
            f"{path}: format_version is {version!r:.40}; this loader reads {_HEADLESS} and {FORMAT_VERSION}"
        )
    named: dict[str, type] = {"labels": list} if version == _HEADLESS else {"head": str}
    for key, kind in {**_FIELDS, **named}.items():
        value = manifest.get(key)
        if not isinstance(value, kind) or isinstance(value, bool):
            found = "nothing" if key not in manifest else type(value).__name__
            raise ServingError(f"{path}: {key}: expected {kind.__name__}, got {found}")
    if "labels" in manifest:
        _check_labels(path, manifest["labels"])
    if not 1 <= manifest["max_tokens"] <= _MOST:
        raise ServingError(
            f"{path}: max_tokens must be >= 1 and <= {_MOST}, got {manifest['max_tokens']!r:.20}"
        )
    first = manifest.get("first", {})
    if not isinstance(first, dict):
        raise ServingError(f"{path}: first: expected dict, got {type(first).__name__}")
    for holder, key, least in ((manifest, "towers", 1), (manifest, "separator", 0), (first, "keep", 1)):
        if key in holder and (type(holder[key]) is not int or not least <= holder[key] <= _MOST):
            raise ServingError(f"{path}: {key}: expected a number from {least} to {_MOST}")
    for key in ("input", "output"):
        if not isinstance(manifest[key].get("name"), str):
            raise ServingError(f"{path}: {key}.name: expected str")
    for name in (manifest["model"], *_NEEDED):
        if name not in manifest["files"]:
            raise ServingError(f"{path}: files: {name} is not listed")
    for name, entry in manifest["files"].items():
        is_entry = isinstance(entry, dict) and isinstance(entry.get("sha256"), str)
        if not is_entry or type(entry.get("bytes")) is not int or not 0 <= entry["bytes"] < 1 << 60:
            raise ServingError(f"{path}: files: {name}: expected sha256 and bytes")


def _check_labels(path: Path, labels: Any) -> None:
    is_list = isinstance(labels, list) and all(isinstance(name, str) for name in labels)
    if not is_list or not labels or len(set(labels)) != len(labels):
        raise ServingError(f"{path}: labels: expected a list of different names")


def _check_name(path: Path, name: str) -> None:
    parts = name.split("/")
    if "\\" in name or ":" in name or "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise ServingError(f"{path}: files: {name!r} is not a path inside the artifact")


def _check_files(folder: Path, files: Mapping[str, Mapping[str, Any]]) -> None:
    found = _list_files(folder)
    for name in sorted(found - {NAME} - set(files)):
        raise ServingError(f"{folder / name}: not listed in {NAME}")
    sha256 = choose_sha256(sum(entry["bytes"] for entry in files.values()))
    for name, entry in sorted(files.items()):
        path = folder / name
        if name not in found:
            raise ServingError(f"{path}: listed in {NAME}, but not found")
        size = path.stat().st_size
        if size != entry["bytes"]:
            raise ServingError(f"{path}: {size} bytes, {NAME} says {entry['bytes']}")
        digest = digest_file(path, sha256)
        if digest != entry["sha256"]:
            raise ServingError(f"{path}: sha256 is {digest[:12]}…, {NAME} says {entry['sha256'][:12]}…")


def _list_files(folder: Path) -> set[str]:
    """List files below the folder, relative; Python's own `__pycache__` folders left out."""
    found = set()
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in (*folders, *files):
            path = Path(root, name)
            if path.is_symlink():
                raise ServingError(f"{path}: a link; an artifact holds only files of its own")
        found |= {Path(root, name).relative_to(folder).as_posix() for name in files}
    return found
