"""Lines and streams of bytes over two pipes, the same at both ends of a connection to a device.

Standard library only: it also runs on the device. The ends take turns, so that neither waits for room while
the other does: a request, its stream if it has one, an answer, its stream. An empty line is a beat.
"""

from __future__ import annotations

import json
import os
import select
from typing import Any

_CHUNK_BYTES = 1 << 18
_LONGEST_LINE = 1 << 28


class Wire:
    """Two file descriptors that are read and written without blocking, and with patience.

    Raises everywhere: ConnectionError where the other end is gone; TimeoutError where no byte moved for
    `stall_seconds` (None: for ever).
    """

    def __init__(self, source: int, sink: int, stall_seconds: float | None = None) -> None:
        self._source, self._sink, self._stall_seconds = source, sink, stall_seconds
        self._buffer = b""
        os.set_blocking(source, False)
        os.set_blocking(sink, False)

    def send(self, document: dict[str, Any]) -> None:
        """Write a line of JSON."""
        self.write(json.dumps(document).encode() + b"\n")

    def receive(self) -> dict[str, Any]:
        """Read a line of JSON; beats are passed over. Raises ValueError where it is no JSON object."""
        while not (line := self.read_line().strip()):
            pass
        document = json.loads(line)
        if not isinstance(document, dict):
            raise ValueError(f"expected a JSON object, got {line[:80]!r}")
        return document

    def beat(self) -> None:
        """Show that this end is alive; a dead connection is noticed by writing to it alone."""
        self.write(b"\n")

    def write(self, data: bytes | memoryview) -> None:
        """Write all of it."""
        left = memoryview(data)
        while left:
            self._wait(self._sink, select.POLLOUT)
            try:
                left = left[os.write(self._sink, left) :]
            except BlockingIOError:
                continue

    def read(self, size: int) -> bytes:
        """Read exactly `size` bytes."""
        while len(self._buffer) < size:
            self._fill()
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    def read_line(self) -> bytes:
        """Read up to the next line break, which is left out."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            if (searched := len(self._buffer)) > _LONGEST_LINE:
                raise ValueError(f"a line of more than {_LONGEST_LINE} bytes")
            self._fill()
        line, self._buffer = self._buffer[:end], self._buffer[end + 1 :]
        return line

    def _fill(self) -> None:
        self._wait(self._source, select.POLLIN)
        try:
            received = os.read(self._source, _CHUNK_BYTES)
        except BlockingIOError:
            return
        if not received:
            raise ConnectionResetError("the other end is gone")
        self._buffer += received

    def _wait(self, end: int, event: int) -> None:
        poll = select.poll()
        poll.register(end, event)
        patience = None if self._stall_seconds is None else self._stall_seconds * 1000
        if not poll.poll(patience):
            raise TimeoutError(f"nothing moved for {self._stall_seconds:g} s")


class ChunkSink:
    """A writable stream over a wire, of any length: each chunk behind its size, a size of 0 at the end."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def write(self, data: bytes) -> int:
        """Write one chunk, however large."""
        for start in range(0, len(data), _CHUNK_BYTES):
            chunk = data[start : start + _CHUNK_BYTES]
            self._wire.write(len(chunk).to_bytes(4, "big") + chunk)
        return len(data)

    def end(self) -> None:
        """Say that nothing follows."""
        self._wire.write(bytes(4))


class ChunkSource:
    """The readable stream at the other end."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._buffer = b""
        self._ended = False

    def read(self, size: int) -> bytes:
        """Read up to `size` bytes; none at the end."""
        if not self._buffer and not self._ended:
            length = int.from_bytes(self._wire.read(4), "big")
            if length > _CHUNK_BYTES:
                raise ValueError(f"a chunk of {length} bytes, at most {_CHUNK_BYTES} are expected")
            self._buffer, self._ended = self._wire.read(length), not length
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    def drain(self) -> None:
        """Pass over what is left."""
        while self.read(_CHUNK_BYTES):
            pass
