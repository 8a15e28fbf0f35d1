"""A Lambda function as the platform starts it: its runtime client, its memory, its share of a processor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from edgekd.emulate.lambda_api import Answered, RuntimeApi
from edgekd.errors import MeasurementError
from edgekd.measure.cpu_quota import limit_cpu
from edgekd.measure.memory.group import MemoryGroup
from edgekd.measure.memory.limit import MemoryLimit

MIB_PER_VCPU = 1769
"""Memory at which a function has one processor (docs.aws.amazon.com/lambda: memory and computing power)."""
HANDLER = "lambda_function.handler"
INIT_SECONDS = 10.0
"""The platform's limit on the init phase."""
_WAIT_SECONDS = 30.0
# Comes under the limits, says when, and becomes the function.
_ENTER = """
import os, sys, time
for entrance in sys.argv[2].split(","):
    if entrance:
        open(entrance, "w").write("0")
if sys.argv[1]:
    os.sched_setaffinity(0, [int(sys.argv[1])])
os.write(int(sys.argv[3]), str(time.monotonic_ns()).encode())
os.close(int(sys.argv[3]))
os.execvpe(sys.argv[4], sys.argv[4:], os.environ)
"""


@dataclass(frozen=True)
class Place:
    """Where a function runs: what starts Python, its runtime client, and how its memory is limited.

    Attributes:
        python: command that starts the platform's Python; under an emulator it has several words.
        client: folder of the runtime client (awslambdaric).
        limit: None where memory cannot be limited here.
        cpu: processor that the function is pinned to, None for any.
        init_seconds: how long the function may take to come up.
    """

    python: tuple[str, ...]
    client: Path
    limit: MemoryLimit | None
    cpu: int | None = None
    init_seconds: float = INIT_SECONDS


class LambdaFunction:
    """A running function; see `start_function`.

    Attributes:
        init_ns: from the start of its process to its first request for an event; None if it never asked.
        problem: why it does not serve; empty if it does.
        has_quota: whether its share of a processor is enforced; where not, its times are of a whole one.
    """

    def __init__(
        self,
        api: RuntimeApi,
        process: subprocess.Popen[bytes],
        group: MemoryGroup | None,
        has_quota: bool,
    ) -> None:
        self._api, self._process, self._group, self.has_quota = api, process, group, has_quota
        self.init_ns: int | None = None
        self.problem = ""

    def invoke(self, event: bytes) -> Answered | None:
        """Send one event; None if the process ended or did not answer, then `problem` says why."""
        answered = self._api.invoke(event, _WAIT_SECONDS) if not self.problem else None
        if answered is None and not self.problem:
            self.problem = self._why()
        return answered

    @property
    def private_bytes(self) -> int:
        """Memory that the function's process holds now and shares with no file: where a leak would show."""
        return self._status("RssAnon")

    @property
    def peak_resident_bytes(self) -> int:
        """The most that the function's process ever held, files that it has mapped included."""
        return self._status("VmHWM")

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def wait_until_ready(self, started_ns: int, seconds: float) -> None:
        """Wait for the first request for an event."""
        deadline = time.monotonic() + seconds
        while not self._api.asked.wait(0.0005):
            if not self.is_alive or time.monotonic() > deadline:
                self.problem = self._why()
                return
        if self._api.init_error is not None:
            self.problem = f"init error: {self._api.init_error.decode('utf-8', 'replace'):.200}"
            return
        self.init_ns = time.monotonic_ns() - started_ns

    def _status(self, name: str) -> int:
        lines = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith(f"{name}:"))

    def _why(self) -> str:
        if self._group is not None and self._group.oom_kills:
            return "out of memory"
        if self.is_alive:
            return "no answer in time"
        return f"ended with {self._process.returncode}"


@contextmanager
def start_function(root: Path, memory_mib: int, place: Place) -> Iterator[LambdaFunction]:
    """Start the function in `root` with `memory_mib` and its share of a processor, and wait for its init.

    A function that does not come up is yielded too, with its `problem`. All that it started is killed in
    the end.

    Raises:
        MeasurementError: the limits cannot be set here.
    """
    with ExitStack() as stack:
        api = stack.enter_context(RuntimeApi(timeout_s=10))
        entrances, group = [], None
        if place.limit is not None:
            room = stack.enter_context(place.limit.apply(memory_mib << 20))
            if room.group is None:
                raise MeasurementError(
                    f"{place.limit.kind} does not count what the platform counts; cgroup v1 is needed"
                )
            group = room.group
            entrances.append(str(group.entrance))
        quota = stack.enter_context(limit_cpu(min(1.0, memory_mib / MIB_PER_VCPU)))
        if quota is not None:
            entrances.append(str(quota))
        command = [sys.executable, "-I", "-S", "-c", _ENTER, "" if place.cpu is None else str(place.cpu)]
        reading, writing = os.pipe()
        command += [",".join(entrances), str(writing), *place.python, "-m", "awslambdaric", HANDLER]
        with os.fdopen(reading, "rb") as said:
            process = subprocess.Popen(
                command,
                cwd=root,
                env=_environment(root, memory_mib, place, api.address),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(writing,),
                start_new_session=True,
            )
            stack.callback(_kill, process)
            os.close(writing)
            started = said.read()
        function = LambdaFunction(api, process, group, quota is not None)
        function.wait_until_ready(int(started or time.monotonic_ns()), place.init_seconds)
        yield function


def _environment(root: Path, memory_mib: int, place: Place, address: str) -> dict[str, str]:
    """Return what the platform sets (docs.aws.amazon.com/lambda: defined runtime environment variables)."""
    return {
        "AWS_LAMBDA_RUNTIME_API": address,
        "AWS_LAMBDA_FUNCTION_NAME": "edgekd",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_mib),
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/edgekd",
        "AWS_LAMBDA_LOG_STREAM_NAME": "local",
        "AWS_REGION": "us-east-1",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python",
        "LAMBDA_TASK_ROOT": str(root),
        "_HANDLER": HANDLER,
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": f"{root}:{place.client}",
        "PYTHONDONTWRITEBYTECODE": "1",  # the platform's folder cannot be written to
        "TZ": ":UTC",
    }


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
