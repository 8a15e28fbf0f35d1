"""Say how far a long job is: a bar with the time left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[float, str], None]
"""Takes the share done (0 to 1) and a few words on what is being done."""

EVERY_SECONDS = 30.0
"""Where there is no terminal, nobody waits longer than this for a line."""


def silent(share: float, words: str) -> None:
    """Say nothing."""


@contextmanager
def show_progress(title: str) -> Iterator[Progress]:
    """Draw one bar on stderr while the block runs; if stderr is no terminal, say lines there instead."""
    if not is_terminal():
        with spoken(say_on_stderr) as speaker, speaker.show(title) as progress:
            yield progress
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[words]}"),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(title, total=1.0, words="")
        yield lambda share, words: bars.update(task, completed=share, words=words)


def is_terminal() -> bool:
    """Whether a bar can be drawn on stderr."""
    return sys.stderr.isatty()


def say_on_stderr(words: str) -> None:
    """Print one line on stderr, at once."""
    print(words, file=sys.stderr, flush=True)


class Speaker:
    """Says lines, and how far the job is whenever nothing was said for a while; made by `spoken`."""

    def __init__(self, say: Callable[[str], None], every_seconds: float) -> None:
        self._say = say
        self._every_seconds = every_seconds
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._said = self._begun = time.monotonic()
        self._title, self._share, self._words = "", 0.0, ""

    def note(self, words: str) -> None:
        """Say a line now."""
        with self._lock:
            self._said = time.monotonic()
            self._say(words)

    @contextmanager
    def show(self, title: str) -> Iterator[Progress]:
        """Speak of this job while the block runs."""
        before = self._title, self._share, self._words, self._begun
        self._title, self._share, self._words, self._begun = title, 0.0, "", time.monotonic()
        try:
            yield self._update
        finally:
            self._title, self._share, self._words, self._begun = before

    def speak_until_ended(self) -> None:
        """Wait, and speak; the work of a thread of its own."""
        while not self._ended.wait(max(0.0, self._said + self._every_seconds - time.monotonic())):
            if time.monotonic() >= self._said + self._every_seconds:
                self.note(self._describe(time.monotonic()))

    def end(self) -> None:
        """Speak no more."""
        self._ended.set()

    def _update(self, share: float, words: str) -> None:
        self._share, self._words = share, words

    def _describe(self, now: float) -> str:
        took, share = now - self._begun, self._share
        parts = [f"{_clock(took)} so far"]
        if 0.02 <= share < 1:  # an earlier guess would be a wild one
            parts = [f"{share:.0%} after {_clock(took)}", f"about {_clock(took * (1 - share) / share)} left"]
        return f"{self._title or 'still at work'}: {', '.join([*parts, *filter(None, [self._words])])}"


@contextmanager
def spoken(say: Callable[[str], None], every_seconds: float | None = None) -> Iterator[Speaker]:
    """Yield a speaker that says a line at least every `every_seconds` (EVERY_SECONDS unless told)."""
    speaker = Speaker(say, EVERY_SECONDS if every_seconds is None else every_seconds)
    thread = threading.Thread(target=speaker.speak_until_ended, name="edgekd-progress", daemon=True)
    thread.start()
    try:
        yield speaker
    finally:
        speaker.end()
        thread.join()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
