"""Run steps in this process, one after the other."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import NoReturn

from edgekd.engines.step import Folder, Step, in_order
from edgekd.errors import ConfigError
from edgekd.progress import Progress, silent
from edgekd.store import Stage, Store, locked, resume_folder

Show = Callable[[str], AbstractContextManager[Progress]]
Note = Callable[[str], None]


class Process:
    """Runs steps here; says one line for each, and remembers what it has made.

    Processes share a store: what another one makes is waited for and found. Steps that may share the
    machine hold a lock together while they are made; one that must be alone waits until it has it alone.
    """

    def __init__(self, store: Store, show_progress: Show, note: Note) -> None:
        self.store, self.show_progress, self.note = store, show_progress, note
        self.made: dict[Step, Stage] = {}
        self._said: set[tuple[str, str]] = set()

    def make(self, step: Step) -> Stage:
        """Return a step's result, from the cache where it is there; what it rests on is made first."""
        return self.run([step])[0]

    def run(self, steps: Sequence[Step]) -> list[Stage]:
        """Return the results of steps, in their order; what they rest on is made first."""
        self.run_all(steps)
        return [self.made[step] for step in steps]

    def run_all(
        self, steps: Iterable[Step], tolerated: tuple[type[Exception], ...] = ()
    ) -> dict[Step, Exception]:
        """Make steps and what they rest on; return those that failed with an error that is tolerated.

        A step that rests on one that failed has failed with the same error.
        """
        failed: dict[Step, Exception] = {}
        order = in_order(steps)
        while True:
            for step in order:
                if broken := next((failed[source] for source in step.sources if source in failed), None):
                    failed[step] = broken
            pending = [step for step in order if step not in self.made and step not in failed]
            if not pending:
                return failed
            self._make_first(pending, tolerated, failed)

    @contextmanager
    def work(self, title: str, *, alone: bool = False) -> Iterator[Progress]:
        """Hold the machine, alone or with others that share it, and show progress while the block runs."""
        machine = self.store.root / "locks" / "machine"
        wait = partial(self._show_waiting, title, "other steps have the machine")
        with locked(machine, wait, shared=not alone), self.show_progress(title) as progress:
            yield progress

    def _make_first(
        self, pending: Sequence[Step], tolerated: tuple[type[Exception], ...], failed: dict[Step, Exception]
    ) -> None:
        """Make one step: the first that no other process is making, else wait for the first of them."""
        ready = [step for step in pending if all(source in self.made for source in step.sources)]
        ready.sort(key=lambda step: step.alone)
        if process_count() > 1 and any(step.together for step in pending):
            # Those of torchrun must come to each training in the same order.
            ready = [pending[0]]
        for waits in (False, True):
            for step in ready:
                try:
                    self.made[step] = self._make(step, waits)
                except _BusyError:
                    continue
                except tolerated as error:
                    failed[step] = error
                return

    def _make(self, step: Step, waits: bool) -> Stage:
        if step.together and process_count() > 1:
            return self._make_together(step)
        return self._make_here(step, step.build, waits)

    def _make_here(
        self,
        step: Step,
        build: Callable[[Path, dict[str, Folder], Progress], None],
        waits: bool = True,
    ) -> Stage:
        began = time.monotonic()
        folders = step.folders(self.made)
        waited = False

        def work(folder: Path) -> None:
            self._begin(step)
            with self.work(step.name, alone=step.alone) as progress:
                build(folder, folders, progress)

        @contextmanager
        def patiently() -> Iterator[None]:
            nonlocal waited
            waited = True
            with self._show_waiting(step.name, "another process is building it"):
                yield

        waiting = patiently if waits else _refuse_to_wait
        stage = self.store.run(step.name, step.version, step.key_reads(folders), work, waiting)
        took = time.monotonic() - began
        by_another = f"built by another process in {took:.1f} s" if waited else "cached"
        self._say(step, f"{step.name}: {by_another if stage.cached else f'done in {took:.1f} s'}", stage)
        return stage

    @contextmanager
    def _show_waiting(self, title: str, words: str) -> Iterator[None]:
        with self.show_progress(title) as progress:
            progress(0.0, words)
            yield

    def _make_together(self, step: Step) -> Stage:
        """Make a step with all processes that `torchrun` started.

        The first builds it in the store. The others build it with the first one's checkpoints, in a folder
        that goes, and then find it in the cache.
        """
        from edgekd.distill.training.processes import Processes

        processes = Processes()
        told = False

        def lead(folder: Path, inputs: dict[str, Folder], progress: Progress) -> None:
            nonlocal told
            processes.tell(str(resume_folder(folder).resolve()))
            told = True
            step.build(folder, inputs, progress)

        if processes.is_first:
            stage = self._make_here(step, lead)
            if not told:
                processes.tell("")
        elif resume := processes.tell(None):
            with tempfile.TemporaryDirectory() as kept:
                (Path(kept) / Path(resume).name).symlink_to(resume)
                step.build(Path(kept), step.folders(self.made), silent)
        processes.wait()
        return stage if processes.is_first else self._make_here(step, _refuse_to_build)

    def _begin(self, step: Step) -> None:
        """Take note that a step is not in the cache and is about to be made here."""

    def _say(self, step: Step, words: str, stage: Stage) -> None:
        """Say what came of a step, once: two steps that read the same have one result."""
        if (stage.name, stage.key) not in self._said:
            self._said.add((stage.name, stage.key))
            self.note(words)


def process_count() -> int:
    """How many processes `torchrun` started; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first_process() -> bool:
    """Whether this process is the one that writes and speaks."""
    return int(os.environ.get("RANK", "0")) == 0


class _BusyError(Exception):
    """Another process is making a step."""


def _refuse_to_wait() -> NoReturn:
    raise _BusyError


def _refuse_to_build(folder: Path, inputs: dict[str, Folder], progress: Progress) -> None:
    raise ConfigError("the processes do not see one workspace: put it on a disk that all of them share")
