"""A step is data: what it is called, what it reads, and the name of the function that makes its result.

Because it is data, any process can run it, and its key in the store can be told without running it. What
decides later work is an input of that work, not something that a step returns: a result that is found in the
cache has no function that could return anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from edgekd.progress import Progress
from edgekd.store import Stage, digest_json, write_atomic

_PARTS = "parts.json"


@dataclass(frozen=True)
class Folder:
    """A folder that is read, and the digest of what is read there."""

    path: Path
    digest: str


Settings = Mapping[str, Any]
Inputs = Mapping[str, Folder]
Function = Callable[[Path, Settings, Inputs, Progress], None]
"""Makes a step's result: takes the folder to write into, the step's settings, the folders of its inputs by
keyword, and whom to tell how far it is."""


@dataclass(frozen=True)
class Part:
    """Named parts of a step's result: another step reads these and not the rest.

    The step writes their digests with `write_parts`; `at` is the folder inside the result that is read.
    """

    of: Step
    names: tuple[str, ...]
    at: str = ""


@dataclass(frozen=True, eq=False)
class Step:
    """One piece of work whose result is a folder. Steps that read and do the same are equal.

    Attributes:
        name: of its folder in the store, and in what is said of it.
        version: its author raises it when the function gives other results.
        function: `module:name` of a `Function`.
        settings: JSON that decides the result and that the function gets.
        inputs: what the function reads, by keyword: results of other steps, or folders.
        reads: JSON that decides the result without being handed over: versions of libraries, the machine.
        how: JSON that the function gets with its settings and that does not change the result.
        alone: whether it must not share the machine with another step, because it takes times.
        together: whether all processes that `torchrun` started work on it.
    """

    name: str
    version: int
    function: str
    settings: Settings = field(default_factory=dict)
    inputs: Mapping[str, Step | Part | Folder] = field(default_factory=dict)
    reads: Mapping[str, Any] = field(default_factory=dict)
    how: Mapping[str, Any] = field(default_factory=dict)
    alone: bool = False
    together: bool = False

    @cached_property
    def ident(self) -> str:
        """Digest of all that this step is, its inputs included."""
        inputs: dict[str, list[str]] = {}
        for keyword, read in self.inputs.items():
            if isinstance(read, Folder):
                inputs[keyword] = [str(read.path), read.digest]
            elif isinstance(read, Part):
                inputs[keyword] = [read.of.ident, *read.names, read.at]
            else:
                inputs[keyword] = [read.ident]
        own = [self.name, self.version, self.function, dict(self.settings), dict(self.reads), dict(self.how)]
        return digest_json([*own, inputs, self.alone, self.together])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Step) and self.ident == other.ident

    def __hash__(self) -> int:
        return hash(self.ident)

    def part(self, *names: str, at: str = "") -> Part:
        """Name what of this step's result is read."""
        return Part(self, names, at)

    @property
    def sources(self) -> list[Step]:
        """The steps whose results it reads."""
        return [_step(read) for read in self.inputs.values() if not isinstance(read, Folder)]

    def folders(self, made: Mapping[Step, Stage]) -> dict[str, Folder]:
        """Return the folders of the inputs, all of whose steps must be in `made`."""
        return {keyword: _folder(read, made) for keyword, read in self.inputs.items()}

    def key_reads(self, folders: Inputs) -> dict[str, Any]:
        """Return all that decides the result, as the store takes it."""
        digests = {keyword: folder.digest for keyword, folder in folders.items()}
        return {"settings": dict(self.settings), "inputs": digests, "reads": dict(self.reads)}

    def build(self, folder: Path, inputs: Inputs, progress: Progress) -> None:
        """Make the result in `folder`."""
        module, _, name = self.function.partition(":")
        function: Function = getattr(import_module(module), name)
        function(folder, {**self.settings, **self.how}, inputs, progress)


def in_order(steps: Iterable[Step]) -> list[Step]:
    """List steps and all that they rest on, each once and after what it reads."""
    seen: set[Step] = set()
    return [found for step in steps for found in _from_the_ground(step, seen)]


def write_parts(folder: Path, digests: Mapping[str, str]) -> None:
    """Name the digests of parts of a result, for steps that read no more than these."""
    write_atomic(folder / _PARTS, json.dumps(dict(digests), indent=1, sort_keys=True))


def _from_the_ground(step: Step, seen: set[Step]) -> Iterator[Step]:
    if step in seen:
        return
    seen.add(step)
    for source in step.sources:
        yield from _from_the_ground(source, seen)
    yield step


def _step(read: Step | Part) -> Step:
    return read.of if isinstance(read, Part) else read


def _folder(read: Step | Part | Folder, made: Mapping[Step, Stage]) -> Folder:
    if isinstance(read, Folder):
        return read
    stage = made[_step(read)]
    if isinstance(read, Step):
        return Folder(stage.path, stage.digest)
    digests = json.loads((stage.path / _PARTS).read_text(encoding="utf-8"))
    named = [digests[name] for name in read.names]
    return Folder(stage.path / read.at, named[0] if len(named) == 1 else digest_json(named))
