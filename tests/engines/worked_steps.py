"""Steps that write a word, wait, fail or die, for engines to run."""

import os
import signal
import time
from pathlib import Path

from edgekd.engines.step import Step, write_parts
from edgekd.errors import ParityError


def step(name, *sources, kind="write", **more):
    """A step that writes its own name after what its sources wrote."""
    inputs = {str(number): source for number, source in enumerate(sources)}
    return Step(name, 1, f"{__name__}:{kind}", {"word": name}, inputs, **more)


def write(folder, settings, inputs, progress):
    words = [(read.path / "words").read_text() for read in inputs.values()]
    (folder / "words").write_text(" ".join([*words, settings["word"]]))
    write_parts(folder, {"first": settings["word"][:1], "whole": settings["word"]})


def write_slowly(folder, settings, inputs, progress):
    note(settings, f"{settings['word']} begins in {os.getpid()}")
    time.sleep(settings.get("seconds", 0.3))
    note(settings, f"{settings['word']} ends in {os.getpid()}")
    write(folder, settings, inputs, progress)


def fail(folder, settings, inputs, progress):
    raise ParityError(f"{settings['word']} answers otherwise")


def die_in_a_helper(folder, settings, inputs, progress):
    """End the process where it is one that helps, and write where it is the first."""
    if settings["first"] != os.getpid():
        os.kill(os.getpid(), signal.SIGKILL)
    write(folder, settings, inputs, progress)


def note(settings, words):
    with Path(settings["log"]).open("a") as file:
        file.write(words + "\n")
