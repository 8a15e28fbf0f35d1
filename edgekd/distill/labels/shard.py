"""A shard: some rows of soft labels in one Arrow file, named after its own sha256.

The name is the check: a file that is not what its name says is refused. Two writers cannot want
the same name unless they wrote the same bytes. A shard appears at once, by one rename, and is
never changed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from edgekd.distill.labels.kept import TEMPERATURES, TOP, KeptOutputs, join_kept
from edgekd.errors import DataError, naming
from edgekd.store import digest_file, parse_json

FORMAT = 1
KEY_BYTES = 16
Keys = npt.NDArray[np.bytes_]
"""Keys of texts, dtype S16, shape [row]."""


@dataclass(frozen=True)
class ShardRows:
    """Rows to keep: the keys of their texts, what is kept of the outputs, and what is kept beside."""

    keys: Keys
    kept: KeptOutputs
    evidence: Sequence[Sequence[str]]
    tags: Sequence[Sequence[str]]

    def take(self, rows: npt.NDArray[np.int64]) -> ShardRows:
        """Take some rows, in that order."""
        evidence, tags = ([part[i] for i in rows.tolist()] for part in (self.evidence, self.tags))
        return ShardRows(self.keys[rows], self.kept.take(rows), evidence, tags)


def join_rows(parts: Sequence[ShardRows]) -> ShardRows:
    """Put several, at least one, one after another."""
    evidence, tags = (
        [words for part in parts for words in getattr(part, name)] for name in ("evidence", "tags")
    )
    keys = np.concatenate([part.keys for part in parts])
    return ShardRows(keys, join_kept([part.kept for part in parts]), evidence, tags)


@dataclass(frozen=True)
class Shard:
    """An open, verified shard; its columns are memory-mapped."""

    path: Path
    keys: Keys
    kept: KeptOutputs
    labeller: Mapping[str, Any]
    batch: pa.RecordBatch


def text_keys(teacher: str, texts: Sequence[str]) -> Keys:
    """Digest each text together with the teacher's digest: BLAKE2b, 16 bytes.

    Among 10^8 texts two share a key with a chance of 10^-23.
    """
    start = hashlib.blake2b(teacher.encode() + b"\0", digest_size=KEY_BYTES)
    keys = np.empty(len(texts), dtype=f"S{KEY_BYTES}")
    for place, text in enumerate(texts):
        one = start.copy()
        one.update(text.encode("utf-8", "surrogatepass"))
        keys[place] = one.digest()
    return keys


def write_shard(folder: Path, teacher: str, rows: ShardRows, labeller: Mapping[str, Any]) -> Path:
    """Write rows as a shard, on disk for good when this returns; the caller holds the store's lock.

    `labeller` says what computed them: its `name`, and how it agrees with the teacher.
    """
    data = _encode(teacher, rows, labeller)
    digest = hashlib.sha256(data).hexdigest()
    final = folder / f"{digest}.arrow"
    temporary = folder / f".{digest}.tmp"
    try:
        with naming(final), temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(final)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(folder)
    return final


def open_shard(path: Path, teacher: str, width: int) -> Shard:
    """Verify a shard against its name, then map it.

    Raises:
        DataError: naming the file, if it is damaged, or of another teacher or another number of outputs.
    """
    digest = digest_file(path)
    if digest != path.stem:
        raise DataError(
            f"{path}: is damaged: its sha256 is {digest[:12]}…, its name says {path.stem[:12]}…; "
            "remove the file and run again: only its rows are labelled anew"
        )
    try:
        with pa.memory_map(str(path)) as source:
            batch = pa.ipc.open_file(source).get_batch(0)
        batch.validate(full=True)
        _ = batch.schema.names  # which may be no text
        notes: dict[str, Any] = parse_json(batch.schema.metadata[b"edgekd"])
        if not isinstance(notes, dict) or not isinstance(notes.get("labeller"), dict):
            raise ValueError("says nothing of who labelled")
    except (pa.ArrowException, OSError, KeyError, IndexError, TypeError, ValueError):
        raise DataError(f"{path}: is not a shard of soft labels; remove the file") from None
    expected = {"format": FORMAT, "teacher": teacher, "labels": width, "temperatures": list(TEMPERATURES)}
    for name, value in expected.items():
        if notes.get(name) != value:
            raise DataError(
                f"{path}: {name} is {notes.get(name)!r:.60}, expected {value!r}; remove the file: it is not "
                "of this store"
            )
    if not _has_columns(batch, width) or not isinstance(notes["labeller"].get("name"), str):
        raise DataError(f"{path}: has not the columns of a shard of {width} outputs; remove the file")
    keys = np.frombuffer(_buffer(batch, "key"), dtype=f"S{KEY_BYTES}", count=len(batch))
    names = batch.schema.names
    index = _matrix(batch, "index", np.uint16 if width <= 2**16 else np.uint32) if "index" in names else None
    rest = _matrix(batch, "rest", np.float16) if "rest" in names else None
    if index is not None and index.size and int(index.max()) >= width:
        raise DataError(f"{path}: names output {int(index.max())} of {width}; remove the file")
    kept = KeptOutputs(width, _matrix(batch, "top", np.float16), index, rest)
    return Shard(path, keys, kept, notes["labeller"], batch)


def _has_columns(batch: pa.RecordBatch, width: int) -> bool:
    """Say whether a batch has the columns that `write_shard` writes, without empty values."""
    whole = width <= 2 * TOP
    words = pa.list_(pa.string())
    kinds = {
        "key": pa.binary(KEY_BYTES),
        "top": pa.list_(pa.float16(), width if whole else TOP),
        "evidence": words,
        "tags": words,
    }
    if not whole:
        kinds["index"] = pa.list_(pa.uint16() if width <= 2**16 else pa.uint32(), TOP)
        kinds["rest"] = pa.list_(pa.float16(), len(TEMPERATURES))
    if sorted(batch.schema.names) != sorted(kinds):
        return False
    return all(
        _like(batch.schema.field(name).type, kind) and batch.column(name).null_count == 0
        for name, kind in kinds.items()
    )


def _like(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Compare types without the names that lists give to their values."""
    if pa.types.is_fixed_size_list(wanted):
        is_list = pa.types.is_fixed_size_list(found) and found.list_size == wanted.list_size
        return bool(is_list and found.value_type == wanted.value_type)
    if pa.types.is_list(wanted):
        return bool(pa.types.is_list(found) and found.value_type == wanted.value_type)
    return bool(found == wanted)


def remove_leftovers(folder: Path) -> None:
    """Remove what killed writers left; the caller holds the store's lock, so that no writer lives."""
    for path in folder.glob(".*.tmp"):
        path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _encode(teacher: str, rows: ShardRows, labeller: Mapping[str, Any]) -> bytes:
    rows = rows.take(np.argsort(rows.keys, kind="stable"))
    kept, key = rows.kept, [None, pa.py_buffer(rows.keys.tobytes())]
    columns = {
        "key": pa.FixedSizeBinaryArray.from_buffers(pa.binary(KEY_BYTES), len(rows.keys), key),
        "top": _lists(kept.top),
    }
    if kept.index is not None and kept.rest is not None:
        columns |= {"index": _lists(kept.index), "rest": _lists(kept.rest)}
    for name, words in (("evidence", rows.evidence), ("tags", rows.tags)):
        columns[name] = pa.array([list(one) for one in words], pa.list_(pa.string()))
    notes = {
        "format": FORMAT,
        "teacher": teacher,
        "labels": kept.width,  # as format 1 calls the number of outputs
        "temperatures": TEMPERATURES,
        "labeller": dict(labeller),
        "worst_error_bound_nats": {f"{t:g}": float(kept.error_bound(t).max()) for t in TEMPERATURES},
    }
    batch = pa.record_batch(columns).replace_schema_metadata({"edgekd": json.dumps(notes, sort_keys=True)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, batch.schema) as file:
        file.write_batch(batch)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def _lists(matrix: npt.NDArray[Any]) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1)), matrix.shape[1])


def _buffer(batch: pa.RecordBatch, name: str) -> pa.Buffer:
    return batch.column(name).buffers()[-1]


def _matrix(batch: pa.RecordBatch, name: str, kind: Any) -> npt.NDArray[Any]:
    column = batch.column(name)
    flat = np.frombuffer(_buffer(batch, name), dtype=kind, count=len(column) * column.type.list_size)
    return flat.reshape(len(column), column.type.list_size)
