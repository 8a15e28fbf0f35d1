"""Our end on a device: takes files, runs jobs, sends back what they wrote, and leaves nothing behind.

Standard library only. Every job is a process of its own (`job`). This one sleeps meanwhile, and ends
all of it as soon as the connection is cut: then its stdin ends. The jobs die with it even if it is killed.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from edgekd.errors import MeasurementError
from edgekd.measure.remote.tar_stream import pack, unpack
from edgekd.measure.remote.wire import ChunkSink, ChunkSource, Wire

# How often the connection is shown to be alive. The kernel gives up on a peer that no longer answers some
# 15 minutes after something was written (tcp(7), tcp_retries2), and never if nothing is.
BEAT_SECONDS = 10.0
_LONGEST_ANSWER = 1 << 26
_REMOVE_SECONDS = 5.0
_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Agent:
    """Serves one connection until it ends; `folder` is ours, and goes with the connection."""

    def __init__(self, folder: Path, source: int, sink: int) -> None:
        self._folder = folder
        self._source = source
        self._wire = Wire(source, sink)

    def serve(self) -> None:
        """Do what is asked for, one request after the other."""
        self._wire.send({"ready": {"folder": str(self._folder), "python": sys.executable}})
        while True:
            self._rest(None)
            request = self._wire.receive()
            if "put" in request:
                self._wire.send(self._put(request["put"]))
            else:
                self._do(request["job"])

    def _put(self, name: str) -> dict[str, Any]:
        """Unpack the stream that follows into a folder."""
        stream = ChunkSource(self._wire)
        try:
            target = self._folder / name
            target.mkdir(parents=True, exist_ok=True)
            unpack(stream, target)
        except ConnectionError:
            raise
        except (OSError, ValueError, tarfile.TarError) as error:
            stream.drain()
            return _failure(str(error))
        stream.drain()
        return {"ok": str(target)}

    def _do(self, job: dict[str, Any]) -> None:
        """Run a job; send its answer, then all that it wrote."""
        out = self._folder / "out"
        try:
            for name in ("latency", "stderr"):
                (out / name).mkdir(parents=True, exist_ok=True)
            answer = self._run({**job, "folder": str(out)})
        except MeasurementError as error:
            answer = _failure(str(error))
        except ConnectionError:
            raise
        except OSError as error:
            answer = _failure(str(error))
        self._wire.send(answer)
        sink = ChunkSink(self._wire)
        pack(sink, {name: out / name for name in ("latency", "stderr") if (out / name).is_dir()})
        sink.end()
        shutil.rmtree(out, ignore_errors=True)

    def _run(self, job: dict[str, Any]) -> dict[str, Any]:
        """Run a job in a process of its own and return its answer."""
        request, log = self._folder / "request.json", self._folder / "job.log"
        request.write_text(json.dumps(job), encoding="utf-8")
        lifeline, ours = os.pipe()
        try:
            with request.open("rb") as given, log.open("wb") as words:
                process = subprocess.Popen(
                    [
                        sys.executable,
                        *("-P", "-X", "utf8", "-m"),
                        "edgekd.measure.remote.job",
                        str(lifeline),
                    ],
                    stdin=given,
                    stdout=subprocess.PIPE,
                    stderr=words,
                    pass_fds=(lifeline,),
                    process_group=0,
                )
            try:
                assert process.stdout is not None
                answer = self._rest(process.stdout.fileno())
                code = process.wait()
            finally:
                process.kill()
                process.wait()
                assert process.stdout is not None
                process.stdout.close()
        finally:
            os.close(lifeline)
            os.close(ours)
        if code:
            lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            how = (
                f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            )
            raise MeasurementError(": ".join([f"the process of the round {how}", *lines[-1:]])[:400])
        document: dict[str, Any] = json.loads(answer)
        return document

    def _rest(self, end: int | None) -> bytes:
        """Sleep until the next request, or until `end` is closed: then return what came out of it.

        A request while a job runs can only be the connection's end.
        """
        poll = select.poll()
        poll.register(self._source, select.POLLIN)
        if end is not None:
            poll.register(end, select.POLLIN)
        said = b""
        while True:
            events = dict(poll.poll(BEAT_SECONDS * 1000))
            if not events:
                self._wire.beat()
            elif self._source in events:
                if end is not None:
                    raise ConnectionResetError("the other end is gone")
                return b""
            elif end is not None:
                part = os.read(end, 1 << 16)
                if not part or len(said) > _LONGEST_ANSWER:
                    return said
                said += part


def remove(folder: Path) -> None:
    """Remove a folder in which processes that are dying may still write."""
    deadline = time.monotonic() + _REMOVE_SECONDS
    while folder.exists() and time.monotonic() < deadline:
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.01)


def main(folder: Path) -> None:
    """Serve the connection on stdin and stdout."""
    for number in _ENDING:
        signal.signal(number, _leave)
    try:
        try:
            with suppress(ConnectionError):
                Agent(folder, 0, 1).serve()
        finally:
            _ignore_endings()
    finally:  # also if the first signal came just now
        remove(folder)


def _leave(number: int, frame: FrameType | None) -> None:
    _ignore_endings()
    raise SystemExit(128 + number)


def _ignore_endings() -> None:
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)


def _failure(message: str) -> dict[str, Any]:
    return {"error": {"kind": "MeasurementError", "message": message}}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
