import subprocess
import sys

import pytest

from edgekd.errors import BadInputError
from edgekd.measure.audit import read_answers
from edgekd.measure.session import measure_subjects
from edgekd.measure.subject import Subject


def test_a_subject_runs_in_the_environment_it_names(small_plan, tmp_path):
    """In one that holds nothing but the standard library, beside one in this interpreter."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    python = str(tmp_path / "bare" / "bin" / "python")
    subjects = [
        Subject("here", "peers_subjects:interpreter"),
        Subject("there", "peers_subjects:interpreter", python=python),
    ]
    result = measure_subjects(subjects, ["a text", "another"], tmp_path / "bench", small_plan)
    said = {
        subject.name: read_answers(result.folder / subject.processes[0].answers).untimed[0]
        for subject in result.subjects
    }
    assert said == {"here": repr((sys.prefix, True)), "there": repr((str(tmp_path / "bare"), False))}


def test_an_interpreter_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="no interpreter that runs; make its environment"):
        Subject("there", "subjects:echo", python=str(tmp_path / "python"))


@pytest.mark.parametrize("factory", ["echo", "subjects.echo", "subjects:", ":echo", "a b:c"])
def test_a_factory_reads_module_and_function(factory):
    with pytest.raises(BadInputError, match=r"must read 'package\.module:function'"):
        Subject("a", factory)


def test_names_and_arguments_are_checked():
    with pytest.raises(BadInputError, match="name is empty"):
        Subject(" ", "subjects:echo")
    with pytest.raises(BadInputError, match="NUL"):
        Subject("a", "subjects:echo", ("\0",))
    assert Subject("a b@1/2", "subjects:echo").file_stem == "a-b-1-2"
