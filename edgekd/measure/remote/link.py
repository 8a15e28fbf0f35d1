"""One ssh connection to a device, with our agent at its other end."""

from __future__ import annotations

import io
import re
import secrets
import shlex
import signal
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import edgekd
from edgekd.errors import BadInputError, EdgekdError, MeasurementError, MissingRuntimeError
from edgekd.measure.remote.url import SshUrl
from edgekd.measure.remote.wire import Wire

# What runs on the device: all that `agent` and `job` import, and what opens artifacts.
SHIPPED = (
    "__init__.py",
    "errors.py",
    "measure/__init__.py",
    "measure/counters.py",
    "measure/environment.py",
    "measure/plan.py",
    "measure/process.py",
    "measure/process_bench.py",
    "measure/remote/__init__.py",
    "measure/remote/agent.py",
    "measure/remote/job.py",
    "measure/remote/tar_stream.py",
    "measure/remote/wire.py",
    "measure/round.py",
    "measure/subject.py",
    "measure/worker.py",
    "quiet.py",
    "serving",
    "shipped.py",
)
# subprocess.Popen(process_group=...), python -P and hashlib.file_digest.
OLDEST_PYTHON = (3, 11)
CONNECT_SECONDS = 15
# A dead link is noticed after three of these by ssh, and a dead agent after STALL_SECONDS, six of its beats.
ALIVE_SECONDS = 5
STALL_SECONDS = 60.0
_CLOSE_SECONDS = 10.0
_LONGEST_BANNER = 1000
# Only what a measurement needs; the rest is left to the user's own configuration of ssh.
_OPTIONS = (
    "BatchMode=yes",
    f"ConnectTimeout={CONNECT_SECONDS}",
    f"ServerAliveInterval={ALIVE_SECONDS}",
    "ServerAliveCountMax=3",
    "LogLevel=ERROR",
    "RemoteCommand=none",
    "ClearAllForwardings=yes",
    "ControlMaster=no",
)
# A login shell may say something first, so the agent's first line is marked. No quote, backslash or
# exclamation mark in it: every login shell must read it alike. Python 2 must understand the second print.
_HELLO = (
    'import sys;print();print("{mark} %d %d %s"%(sys.version_info[:2]+(sys.platform,)));'
    "sys.stdout.flush();exec(sys.stdin.buffer.read({size}))"
)


class SshLink:
    """A connection whose agent is ready; always `close` it. Any failure closes it for good."""

    def __init__(self, url: SshUrl) -> None:
        self.url = url
        self.python = url.python
        self._words = tempfile.TemporaryFile()  # noqa: SIM115  (closed in `close`)
        self._process: subprocess.Popen[bytes] | None = None
        self._said = ""
        try:
            self._connect()
        except BaseException:
            self.close()
            raise

    @contextmanager
    def exchange(self, doing: str) -> Iterator[Wire]:
        """Give the wire for one request and its answer; `doing` says in messages what was going on.

        Raises:
            MeasurementError: if the connection was cut, or the device answers nonsense or not at all.
        """
        if self._process is None:
            raise MeasurementError(f"{self.url.text}: the connection is closed; open the device again")
        try:
            yield self._wire
        except ConnectionError:
            ended = self._end()
            self.close()
            raise MeasurementError(
                f"{self.url.text}: the connection was cut while {doing} ({ended}); finished rounds are kept"
            ) from None
        except TimeoutError as error:
            self.close()
            raise MeasurementError(
                f"{self.url.text}: no sign of life while {doing} ({error}); finished rounds are kept"
            ) from None
        except (ValueError, KeyError, TypeError) as error:
            self.close()
            raise MeasurementError(
                f"{self.url.text}: an answer that was not expected while {doing}: {error!r:.200}"
            ) from error
        except (OSError, tarfile.TarError) as error:
            self.close()
            raise MeasurementError(f"{self.url.text}: files were not moved while {doing}: {error}") from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the connection; the agent then ends all that it started, removes its folder and goes."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None and process.stdout is not None
        with suppress(OSError):
            process.stdin.close()
        try:
            process.wait(_CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
            self._words.close()

    def _connect(self) -> None:
        mark, (source, modules) = f"edgekd-{secrets.token_hex(8)}", pack_code()
        hello = _HELLO.format(mark=mark, size=len(source))
        port = ("-p", str(self.url.port)) if self.url.port else ()
        user = ("-l", self.url.user) if self.url.user else ()
        options = [part for option in _OPTIONS for part in ("-o", option)]
        command = f"exec {shlex.quote(self.url.python)} -c '{hello}'"
        try:
            self._process = subprocess.Popen(
                ["ssh", "-T", *options, *port, *user, "--", self.url.host, command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._words,
                bufsize=0,
                process_group=0,  # an interrupt from the keyboard is ours to act on
            )
        except FileNotFoundError:
            self._words.close()
            raise MissingRuntimeError(
                "ssh is not installed here; run: apt-get install openssh-client"
            ) from None
        assert self._process.stdin is not None and self._process.stdout is not None
        self._wire = Wire(self._process.stdout.fileno(), self._process.stdin.fileno(), STALL_SECONDS)
        try:
            self._check_python(self._find(mark))
            self._wire.write(source + modules)
            answer = self._wire.receive()
        except ConnectionError:
            raise self._refusal() from None
        except (TimeoutError, ValueError) as error:
            raise MissingRuntimeError(f"{self.url.text}: no Python answered there: {error}") from None
        if "ready" not in answer:
            raise MeasurementError(f"{self.url.text}: cannot start there: {answer['error']['message']}")
        self.python = answer["ready"]["python"]

    def _find(self, mark: str) -> list[str]:
        """Read up to our own first line, past whatever a login shell says; return what follows the mark."""
        for _ in range(_LONGEST_BANNER):
            before, found, after = self._wire.read_line().decode(errors="replace").partition(mark)
            if found:
                return after.split()
            self._said = before.strip() or self._said
        raise ValueError(f"{_LONGEST_BANNER} lines of something else")

    def _check_python(self, found: list[str]) -> None:
        version, system = tuple(map(int, found[:2])), found[2]
        if version < OLDEST_PYTHON:
            raise MissingRuntimeError(
                f"{self.url.text}: {self.url.python} is Python {version[0]}.{version[1]}, at least "
                f"{OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} is needed; name another: ?python=/path/to/python"
            )
        if system != "linux":
            raise MissingRuntimeError(
                f"{self.url.text}: the device runs {system}; only Linux can be measured"
            )

    def _refusal(self) -> EdgekdError:
        """Say in one line why there is no connection, or no agent."""
        code, words = self._wait(), self._last_words()
        where, last = self.url.text, (words[-1] if words else self._said).rstrip(".")
        said = "\n".join(words)
        if code != 255:
            if code in (126, 127):
                return MissingRuntimeError(
                    f"{where}: {self.url.python} cannot be run there ({last}); install Python 3.11 or newer, "
                    "or name one: ?python=/path/to/python"
                )
            return MeasurementError(f"{where}: our process did not start there (exit code {code}): {last}")
        for pattern, kind, advice in _REFUSALS:
            if re.search(pattern, said):
                return kind(f"{where}: {last}; {advice.format(host=self.url.host)}")
        return MissingRuntimeError(f"{where}: no connection: {last or 'ssh said nothing'}")

    def _end(self) -> str:
        """Say how ssh ended."""
        code = self._wait()
        words = self._last_words()
        if words:
            return words[-1]
        if code is None:
            return "ssh still runs"
        return f"ssh was killed by {signal.Signals(-code).name}" if code < 0 else "the agent is gone"

    def _wait(self) -> int | None:
        assert self._process is not None and self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            return self._process.wait(_CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            return None

    def _last_words(self) -> list[str]:
        """Return what ssh and the device's shell wrote to stderr."""
        self._words.seek(0)
        lines = self._words.read().decode(errors="replace").splitlines()
        return [line.strip()[:300] for line in lines if line.strip()]


# What OpenSSH's client says (it is not translated), what kind of error that is, and what to do.
_REFUSALS: tuple[tuple[str, type[EdgekdError], str], ...] = (
    (
        "IDENTIFICATION HAS CHANGED",
        BadInputError,
        "it is another machine, or someone in between: check its key, then run: ssh-keygen -R {host}",
    ),
    (
        "Host key verification failed",
        BadInputError,
        "its key is not known here: connect once by hand (ssh {host}) and check it",
    ),
    ("Permission denied", BadInputError, "no key of yours is accepted there: run ssh-copy-id {host}"),
    ("Could not resolve", BadInputError, "check the name, or add it to ssh's configuration"),
    ("Bad configuration|Bad owner|keyword|[Uu]nknown option", BadInputError, "correct ssh's configuration"),
    ("refused", MissingRuntimeError, "no ssh server listens there: start it, or check the port"),
    (
        "timed out|No route|unreachable",
        MissingRuntimeError,
        "check that it is switched on and can be reached",
    ),
)


def pack_code() -> tuple[bytes, bytes]:
    """Return the source that is executed first on the device, and the zip file of modules that it unpacks."""
    package = Path(edgekd.__file__).resolve().parent
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
        for name in SHIPPED:
            path = package / name
            for file in sorted(path.rglob("*.py")) if path.is_dir() else (path,):
                archive.write(file, f"edgekd/{file.relative_to(package).as_posix()}")
    modules = kept.getvalue()
    source = Path(__file__).with_name("start.py").read_bytes()
    return source + b"\nstart(%d)\n" % len(modules), modules
