"""An artifact runs from its own folder, without the package that made it."""

import json
import shutil
import subprocess
import sys
import textwrap

import pytest

from edgekd.compile import open_artifact
from edgekd.compile.policy import set_policy
from edgekd.serving import load

TEXTS = ["where is my order?", "漫画 🙂", ""]
BLOCKED = [
    "torch",
    "transformers",
    "edgekd",
    "onnx",
    "nncf",
    "scipy",
    "pydantic",
    "duckdb",
    "huggingface_hub",
]


@pytest.fixture
def moved(artifact, tmp_path):
    return shutil.copytree(
        artifact, tmp_path / "somewhere else", ignore=shutil.ignore_patterns("__pycache__")
    )


def run(code, folder):
    start = f"import sys; sys.path.insert(0, {str(folder)!r}); sys.modules.update(dict.fromkeys({BLOCKED}))\n"
    command = [sys.executable, "-I", "-W", "error", "-c", start + textwrap.dedent(code)]
    done = subprocess.run(command, cwd=folder.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_artifact_answers_without_the_package(moved):
    code = f"""
    import json, sys
    from serving import load
    model = load({str(moved)!r})
    answers = [model(text) for text in {TEXTS!r}]
    heavy = sorted(name for name in {BLOCKED!r} if sys.modules.get(name))
    print(json.dumps([[list(answer) for answer in answers], heavy]))
    """
    answers, heavy = run(code, moved)
    model = load(moved)
    assert answers == [list(model(text)) for text in TEXTS]
    assert heavy == []


def test_importing_the_loader_loads_numpy_alone(moved):
    code = """
    import json, sys
    before = set(sys.modules)
    import serving
    tops = {name.partition(".")[0] for name in set(sys.modules) - before}
    print(json.dumps(sorted(tops - set(sys.stdlib_module_names))))
    """
    blocked = {"openvino_telemetry"}  # None in its place: it cannot be imported
    assert set(run(code, moved)) - {"numpy"} - blocked == {"serving"}


def test_folder_answers_from_the_command_line(moved):
    command = [sys.executable, "-m", "serving", *TEXTS]
    done = subprocess.run(command, cwd=moved, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["text"] for line in lines] == TEXTS
    assert lines[0]["label"] == load(moved)(TEXTS[0]).label
    assert {line["model"] for line in lines} == {load(moved).digest[:12]}
    (moved / "calibration.json").write_text("{}")
    done = subprocess.run(command, cwd=moved, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "calibration.json" in done.stderr


def test_folder_answers_by_the_policy_that_was_judged(artifact, tmp_path):
    labels = load(artifact).labels
    policy = {"slices": {"minors": 1.0}, "rules": [{"phrase": "charge back", "label": labels[3]}]}
    routed = set_policy(open_artifact(artifact), policy, tmp_path / "routed").path

    def say(*arguments, given=None):
        command = [sys.executable, "-m", "serving", *arguments]
        done = subprocess.run(command, cwd=routed, input=given, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    student = load(routed)
    ruled, other = say("i want a charge back", "where is my order?")
    assert (ruled["label"], ruled["action"], ruled["reason"]) == (labels[3], "answer", "rule: charge back")
    assert (other["label"], other["action"]) == (student("where is my order?").label, "answer")
    assert [line["action"] for line in say("--slice", "minors", "hi", "where?")] == ["teacher", "teacher"]
    assert [line["action"] for line in say("--slice", "de", "--slice", "minors", given="hi\nyo\n")] == [
        "teacher", "teacher",
    ]  # fmt: skip
    (alone,) = say("--student-only", "--slice", "minors", "i want a charge back")
    assert alone["label"] == student("i want a charge back").label != labels[3] and "action" not in alone
    (dashed,) = say("--", "--slice")
    assert dashed["text"] == "--slice"
