"""The platform's side of AWS Lambda: the Runtime API, on loopback.

What a function's runtime client asks over HTTP (docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html): the
next event, and where to put the answer or the error.
"""

from __future__ import annotations

import json
import queue
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

VERSION = "/2018-06-01/runtime"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:edgekd"


@dataclass(frozen=True)
class Answered:
    """What came of one event.

    Attributes:
        body: the answer, or the error's document.
        is_error: whether the client reported an error in place of an answer.
        ns: from handing out the event to having the answer: what the platform bills, less its rounding.
    """

    body: bytes
    is_error: bool
    ns: int


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a function that is killed resets its connection."""


class RuntimeApi:
    """Serves one function process; a context manager. `address` is HOST:PORT."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._events: queue.Queue[tuple[str, bytes] | None] = queue.Queue()
        self._answers: queue.Queue[Answered] = queue.Queue()
        self._given: tuple[str, int] = "", 0
        self.asked = threading.Event()
        """Set when the client has asked for its first event: its initialization is over."""
        self.init_error: bytes | None = None
        """What the client reported when it could not start."""
        self._server = _Server(("127.0.0.1", 0), _make_handler(self))
        self.address = "{}:{}".format(*self._server.server_address[:2])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> RuntimeApi:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._events.put(None)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def invoke(self, event: bytes, wait_s: float) -> Answered | None:
        """Hand out an event and wait for what comes of it; None if nothing does in that time."""
        self._events.put((str(uuid.uuid4()), event))
        try:
            return self._answers.get(timeout=wait_s)
        except queue.Empty:
            return None

    def next_event(self) -> tuple[Mapping[str, str], bytes] | None:
        """Wait for an event; its headers and body, or None when the server ends."""
        self.asked.set()
        found = self._events.get()
        if found is None:
            return None
        name, body = found
        headers = {
            "Lambda-Runtime-Aws-Request-Id": name,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + self._timeout_s) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": ARN,
            "Lambda-Runtime-Trace-Id": f"Root=1-{int(time.time()):08x}-{name.replace('-', '')[:24]}",
        }
        self._given = name, time.perf_counter_ns()
        return headers, body

    def put_answer(self, name: str, body: bytes, is_error: bool) -> bool:
        """Take an answer; says whether it is of the event that was handed out."""
        given, start = self._given
        if name != given:
            return False
        self._answers.put(Answered(body, is_error, time.perf_counter_ns() - start))
        return True


def _make_handler(api: RuntimeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Or the client waits 44 ms for the second part of each answer (delayed acknowledgements).
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            found = api.next_event() if self.path == f"{VERSION}/invocation/next" else None
            if found is None:
                self._answer(404, b"{}")
                return
            self._answer(200, found[1], found[0])

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Transfer-Encoding") == "chunked":
                body = self._read_chunks()
            parts = self.path.removeprefix(VERSION).strip("/").split("/")
            if parts == ["init", "error"]:
                api.init_error = body
                api.asked.set()
                self._answer(202, b'{"status":"OK"}')
                return
            is_known = len(parts) == 3 and parts[0] == "invocation" and parts[2] in ("response", "error")
            taken = is_known and api.put_answer(parts[1], body, parts[2] == "error")
            self._answer(202 if taken else 400, json.dumps({"status": "OK"}).encode())

        def _read_chunks(self) -> bytes:
            content = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                content += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return content

        def _answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    return Handler
