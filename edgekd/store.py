"""A content-addressed store of stage results.

A stage is addressed by the digest of its name, its version number and everything it reads. Its
files appear at once, by one rename, when it has finished: a killed stage leaves a `.partial`
folder whose `_resume/` the next attempt may go on from. Two processes that want the same stage
wait for one another on a lock that the kernel drops when its holder dies.

Files under `logs/` are kept and checked, but are not part of `Stage.digest`: they tell of the
run (times, throughput) and not of the result. How long a stage took stands in its record, beside its digests.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekd.errors import naming

_RECORD = "stage.json"
_RESUME = "_resume"


@dataclass(frozen=True)
class Stage:
    """A finished stage: where its files are, the digest of their content, and how long it took to make them.

    The seconds of a stage that an earlier version of edgekd made are not known.
    """

    name: str
    key: str
    path: Path
    digest: str
    cached: bool
    seconds: float | None = field(default=None, compare=False)


def digest_bytes(data: bytes) -> str:
    """Digest bytes: sha256 in hex."""
    return hashlib.sha256(data).hexdigest()


def digest_file(path: Path) -> str:
    """Digest a file's bytes: sha256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_json(value: Any) -> str:
    """Digest a JSON value in its canonical form; refuses what JSON cannot hold exactly."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return digest_bytes(text.encode())


def parse_json(text: str | bytes) -> Any:
    """Return the value that JSON holds.

    Raises:
        ValueError: it is no JSON, or nested deeper than Python follows.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def write_atomic(path: Path, text: str) -> None:
    """Replace a file's text so that a reader or a kill sees the old or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with naming(path), temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def locked(
    path: Path,
    waiting: Callable[[], AbstractContextManager[object]] = nullcontext,
    *,
    shared: bool = False,
) -> Iterator[None]:
    """Hold a file's lock, alone or with others that share it; the kernel drops it if the process dies.

    While another process holds it, the block that `waiting` makes is open.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    with path.open("a") as file:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            with waiting():
                fcntl.flock(file, kind)
        yield


def is_locked(path: Path) -> bool:
    """Tell whether a process holds a file's lock, alone or with others."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


class Store:
    """Stage results under one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._read_whole: set[tuple[Path, int, int, int, str]] = set()

    def run(
        self,
        name: str,
        version: int,
        reads: Mapping[str, Any],
        build: Callable[[Path], None],
        waiting: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> Stage:
        """Return the stage's result, building it if no finished one is there.

        `reads` holds everything that decides the result (JSON values: settings and digests).
        `build` writes files into the folder it is given; what it keeps in `_resume/` survives a
        kill and is dropped when it finishes. While another process builds it, the block that `waiting`
        makes is open.
        """
        key = _key(name, version, reads)
        final = self.root / name / key
        done = self._read(name, key, final)
        if done is not None:
            return done
        with locked(self.root / "locks" / f"{name.replace('/', '-')}-{key}", waiting):
            done = self._read(name, key, final)
            if done is not None:
                return done
            partial = final.with_name(f"{key}.partial")
            _clear(partial)
            began = time.monotonic()
            with naming(partial):
                build(partial)
            seconds = round(time.monotonic() - began, 3)
            shutil.rmtree(partial / _RESUME, ignore_errors=True)
            files = {file: digest_file(partial / file) for file in _files(partial)}
            known = {"stage": name, "version": version, "reads": dict(reads), "seconds": seconds}
            record = {**known, "files": files}
            write_atomic(partial / _RECORD, json.dumps(record, indent=1, sort_keys=True))
            if final.exists():  # damaged: _read refused it
                shutil.rmtree(final)
            partial.replace(final)
            return Stage(name, key, final, _content_digest(files), cached=False, seconds=seconds)

    def find(self, name: str, version: int, reads: Mapping[str, Any]) -> Stage | None:
        """Return the stage's result if it was built; its files are not held against their digests."""
        key = _key(name, version, reads)
        path = self.root / name / key
        try:
            return _recorded(name, path, _read_record(path))
        except (OSError, ValueError, KeyError):
            return None

    def find_like(
        self, name: str, version: int, fits: Callable[[Path, Mapping[str, Any]], bool]
    ) -> Stage | None:
        """Return the newest whole result of a stage whose folder and `reads` fit, whatever its key."""
        records = list((self.root / name).glob(f"*/{_RECORD}"))
        for path in sorted(records, key=lambda path: path.stat().st_mtime_ns, reverse=True):
            try:
                record = _read_record(path.parent)
                known = record["version"], record["reads"]
            except (OSError, ValueError, KeyError):  # damaged
                continue
            if known[0] != version or not fits(path.parent, known[1]):
                continue
            if stage := self._read(name, path.parent.name, path.parent):
                return stage
        return None

    def took(self, name: str) -> float | None:
        """Return how many seconds the newest result of this name took to make; None where none is known."""
        records = list((self.root / name).glob(f"*/{_RECORD}"))
        try:
            newest = max(records, key=lambda path: path.stat().st_mtime_ns)
            seconds = _read_record(newest.parent).get("seconds")
        except (OSError, ValueError):  # there is none, or it goes as we look
            return None
        return None if seconds is None else float(seconds)

    def _read(self, name: str, key: str, path: Path) -> Stage | None:
        try:
            record = _read_record(path)
            whole = all(self._holds(path / file, digest) for file, digest in record["files"].items())
            return _recorded(name, path, record) if whole else None
        except (OSError, ValueError, KeyError):
            return None

    def _holds(self, path: Path, digest: str) -> bool:
        """Whether a file has a digest; read once as long as it is the same file."""
        state = path.stat()
        known = (path, state.st_ino, state.st_size, state.st_mtime_ns, digest)
        if known not in self._read_whole and digest_file(path) == digest:
            self._read_whole.add(known)
        return known in self._read_whole


def _read_record(path: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((path / _RECORD).read_text(encoding="utf-8"))
    return record


def _recorded(name: str, path: Path, record: Mapping[str, Any]) -> Stage:
    digest = _content_digest(record["files"])
    return Stage(name, path.name, path, digest, cached=True, seconds=record.get("seconds"))


def resume_folder(path: Path) -> Path:
    """Return (and make) the folder in which a build keeps what the next attempt may go on from."""
    folder = path / _RESUME
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _key(name: str, version: int, reads: Mapping[str, Any]) -> str:
    return digest_json({"stage": name, "version": version, "reads": dict(reads)})[:32]


def _clear(partial: Path) -> None:
    partial.mkdir(parents=True, exist_ok=True)
    for entry in partial.iterdir():
        if entry.name == _RESUME:
            continue
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _files(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name != _RECORD
    )


def _content_digest(files: Mapping[str, str]) -> str:
    return digest_json({file: digest for file, digest in files.items() if not file.startswith("logs/")})
