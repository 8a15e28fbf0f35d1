"""Emulated machines: what a small artifact answers there, and what is said where there is none."""

import subprocess
import sys

import numpy as np
import pytest

from edgekd.emulate import Machine, emulated_outputs, find_machine
from edgekd.errors import MeasurementError, MissingRuntimeError
from edgekd.serving import load

TEXTS = ["where is my order?", "", "漫画の新刊", "where is my order? " * 50]
HERE = Machine("avx2", (sys.executable,), None)


def test_answers_are_those_of_the_loader(artifact):
    """The machine is this one: what differs on another is the machine, not the way of asking."""
    assert (emulated_outputs(HERE, artifact, TEXTS) == load(artifact).outputs(TEXTS)).all()


def test_a_model_that_does_not_answer_is_one_line(artifact, tmp_path):
    with pytest.raises(MeasurementError, match=r"avx2: nowhere does not answer: .+"):
        emulated_outputs(HERE, tmp_path / "nowhere", TEXTS)


def test_a_machine_that_is_not_here_says_what_to_run(tmp_path):
    for name in ("avx2", "asimd"):
        with pytest.raises(MissingRuntimeError, match=r"no emulator for .*python -m edgekd\.emulate"):
            find_machine(name, tmp_path)


@pytest.mark.parametrize("name", ["avx2", "asimd"])
def test_an_emulated_machine_answers_alike(name, artifact):
    try:
        machine = find_machine(name)
    except MissingRuntimeError as error:
        pytest.skip(str(error))
    found, here = emulated_outputs(machine, artifact, TEXTS), load(artifact).outputs(TEXTS)
    assert np.abs(found - here).max() < (1e-5 if name == "avx2" else 0.3)
    done = subprocess.run(
        [*machine.command, "-c", "import platform; print(platform.machine())"], capture_output=True, text=True
    )
    assert done.stdout.strip() == {"avx2": "x86_64", "asimd": "aarch64"}[name]
