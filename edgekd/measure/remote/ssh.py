"""A device that is reached over SSH; it needs Python 3.11 and the artifact's runtime, nothing else.

    with open_ssh("ssh://pi@board?python=~/venv/bin/python") as device:
        measure_subjects(subjects, inputs, folder, plan, device=device)

The modules that measure and the files that subjects name travel once, into a folder of their own that goes
with the connection. Rounds run there exactly as they do here; after each its files are brought back. Only
durations come back: the two clocks are never compared.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from edgekd.errors import BadInputError, EdgekdError, MeasurementError, MissingRuntimeError, OutOfTimeError
from edgekd.measure.environment import Environment
from edgekd.measure.process_bench import Conditions, ProcessBench, Scheduling
from edgekd.measure.remote.link import SshLink
from edgekd.measure.remote.tar_stream import digest, pack, unpack
from edgekd.measure.remote.url import parse_ssh_url
from edgekd.measure.remote.wire import ChunkSink, ChunkSource
from edgekd.measure.round import Bench, read_cold_start, read_memory
from edgekd.measure.subject import Subject

_KINDS = {
    kind.__name__: kind for kind in (BadInputError, MeasurementError, MissingRuntimeError, OutOfTimeError)
}
# As Python says it, and as an artifact's loader does.
_MISSING = re.compile(r"No module named '([\w.]+)'|: ([\w.-]+) is not installed")


class SshDevice:
    """Runs rounds in processes of another machine."""

    def __init__(self, link: SshLink) -> None:
        self._link = link
        self._there: dict[str, str] = {}
        self._brought: set[str] = set()

    def read_environment(self, threads: int) -> Environment:
        """Read the device and the libraries of its Python."""
        found = self._ask("reading its environment", {"do": "environment", "threads": threads})
        with self._understood():
            libraries = tuple((str(name), str(version)) for name, version in found["libraries"])
            return Environment(**{**found, "isa": tuple(found["isa"]), "libraries": libraries})

    def quiet_cores(self, count: int) -> tuple[int, ...]:
        """Watch the device's cores."""
        return tuple(self._ask("watching its cores", {"do": "cores", "count": count}))

    def run_round(self, bench: Bench, number: int) -> tuple[tuple[ProcessBench, ...], Conditions]:
        """Run one round there, and bring its files into `bench.folder`.

        What the subjects name is sent before the first one: an argument with a slash in it that is a file or
        a folder here, and the module of a factory that PYTHONPATH finds here.

        Raises:
            MeasurementError: as a round here does; also if the connection is cut. Nothing then goes on there.
            MissingRuntimeError: if a module is not installed there.
        """
        answer = self._ask(
            f"round {number + 1} ran",
            {
                "do": "round",
                "number": number,
                "plan": dataclasses.asdict(bench.plan),
                "subjects": [self._sent(subject) for subject in bench.subjects],
                "inputs": bench.inputs,
                "cores": bench.cores,
                "turns": bench.turns,
                "limit_seconds": bench.limit_seconds,
            },
            bench.folder,
        )
        with self._understood():
            processes = tuple(_read_process(process) for process in answer["processes"])
            conditions = Conditions(**answer["conditions"])
        made = {file for process in processes for file in (process.samples, process.warmup, process.answers)}
        if len(processes) != len(bench.subjects) or not made <= self._brought:
            raise MeasurementError(
                f"{self._link.url.text}: round {number + 1} came back without all its files"
            )
        return processes, conditions

    def _ask(self, doing: str, job: Mapping[str, Any], folder: Path | None = None) -> Any:
        """Have a job done there; what it wrote appears in `folder`."""
        with self._link.exchange(doing) as wire:
            wire.send({"job": job})
            answer = wire.receive()
            stream = ChunkSource(wire)
            self._brought = unpack(stream, folder, ("latency", "stderr")) if folder else set()
            stream.drain()
            if "ok" in answer:
                return answer["ok"]
            kind, message = (
                _KINDS.get(answer["error"]["kind"], MeasurementError),
                str(answer["error"]["message"]),
            )
        raise self._translate(kind, message)

    def _translate(self, kind: type[EdgekdError], message: str) -> EdgekdError:
        where, line = self._link.url.text, " ".join(message.split())
        if missing := _MISSING.search(line):
            name = (missing[1] or missing[2]).partition(".")[0]
            if name == "edgekd":
                return MissingRuntimeError(f"{where}: {missing[1]} does not travel; only edgekd.serving does")
            return MissingRuntimeError(
                f"{line.partition(':')[0]}: {name} is not installed on {where}; run there: "
                f"{self._link.python} -m pip install {name}"
            )
        return kind(f"{where}: {line}")

    def _sent(self, subject: Subject) -> tuple[str, str, list[str], str]:
        """Send what a subject names, once; return it as it reads there."""
        self._send_module(subject.factory.partition(":")[0].partition(".")[0])
        args = [self._path_there(argument) for argument in subject.args]
        return subject.name, subject.factory, args, subject.python

    def _path_there(self, argument: str) -> str:
        """Return an argument as it reads there; decided once, because a subject may write what it names."""
        if argument not in self._there:
            path = Path(os.path.abspath(argument))  # noqa: PTH100  (keeps links, drops "..")
            # A name alone ("1", "upper") is no path, even where a file of that name happens to lie here.
            is_path = "/" in argument and path.exists()
            place = f"given/{len(self._there)}"
            self._there[argument] = self._send(path, place) if is_path else argument
        return self._there[argument]

    def _send_module(self, name: str) -> None:
        key = f"module\0{name}"
        if name == "edgekd" or key in self._there:
            return
        places = [place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
        found = PathFinder.find_spec(name, places) if places else None
        if found is None or not found.origin:
            self._there[key] = name
            return
        path = Path(found.origin)
        self._there[key] = self._send(path.parent if path.name == "__init__.py" else path, "modules")

    def _send(self, path: Path, place: str) -> str:
        """Send a file or folder into a folder of the device's, and hold what arrived against it."""
        doing, name = f"sending {path}", path.name or "root"
        expected = digest(path)
        with self._link.exchange(doing) as wire:
            wire.send({"put": place})
            sink = ChunkSink(wire)
            pack(sink, {name: path})
            sink.end()
            answer = wire.receive()
            there = f"{answer['ok']}/{name}" if "ok" in answer else ""
        if not there:
            raise MeasurementError(
                f"{self._link.url.text}: {path} did not arrive: {answer['error']['message']}"
            )
        if self._ask(doing, {"do": "digest", "path": there}) != expected:
            raise MeasurementError(f"{self._link.url.text}: {path} arrived with other content; measure again")
        return there

    @contextmanager
    def _understood(self) -> Iterator[None]:
        try:
            yield
        except (KeyError, TypeError, ValueError) as error:
            raise MeasurementError(
                f"{self._link.url.text}: an answer that was not expected: {error!r:.200}"
            ) from error


@contextmanager
def open_ssh(url: str) -> Iterator[SshDevice]:
    """Connect to `ssh://[user@]host[:port][?python=PATH]`; nothing of ours is left there afterwards.

    One connection, by the system's `ssh` with its own configuration, serves all rounds. There Python is
    `python3` unless told; it must be 3.11 or newer, and find the runtime that the subjects need.

    Raises:
        BadInputError: if the URL is none, or host key or own key are not accepted.
        MissingRuntimeError: if the device cannot be reached, or has no such Python.
    """
    link = SshLink(parse_ssh_url(url))
    try:
        yield SshDevice(link)
    finally:
        link.close()


def _read_process(document: dict[str, Any]) -> ProcessBench:
    parts = {
        "cold_start": read_cold_start(document["cold_start"]),
        "memory": read_memory(document["memory"]),
        "scheduling": Scheduling(**document["scheduling"]),
    }
    return ProcessBench(**{**document, **parts})
