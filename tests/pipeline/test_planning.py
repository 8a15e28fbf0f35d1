"""A run can be asked for its steps: what is cached, what will run, what is decided later."""

import json
import shutil

import pytest
import yaml

pytestmark = pytest.mark.long
INT8 = "static-256.onnxruntime.int8-dynamic"


@pytest.fixture
def plan(project, run_edgekd):
    """What `run --plan` says of the project's steps, by name."""

    def ask(*settings: str) -> dict[str, list[dict]]:
        arguments = [word for setting in settings for word in ("--set", setting)]
        done = run_edgekd("run", "project.yaml", "--plan", "--json", *arguments, cwd=project)
        assert done.returncode == 0, done.stderr
        steps: dict[str, list[dict]] = {}
        for step in json.loads(done.stdout)["steps"]:
            steps.setdefault(step["name"], []).append(step)
        return steps

    return ask


def states(steps) -> dict[str, set[str]]:
    return {name: {step["state"] for step in of} for name, of in steps.items()}


def test_all_steps_of_a_finished_run_are_cached_and_it_is_known_how_long_they_took(project, plan):
    before = sorted(project.rglob("*"))
    steps = plan()
    assert {state for of in states(steps).values() for state in of} == {"cached"}
    assert all(step["seconds"] >= 0 for of in steps.values() for step in of)
    assert {name for name, of in steps.items() if of[0]["alone"]} == {"bench/1-threads"}
    assert len(steps["reference/teacher"]) == 2  # of the validation rows, and of the test rows
    assert len(steps[f"answer/{INT8}"]) == 1  # by the targets' artifacts, which are one
    assert sorted(project.rglob("*")) == before


def test_what_rests_on_a_step_that_is_gone_is_to_run(project, plan):
    shutil.rmtree(project / ".edgekd" / "store" / "compile" / INT8)
    steps = plan()
    to_run = {name for name, of in states(steps).items() if of == {"to run"}}
    assert to_run == {f"compile/{INT8}", "bench/1-threads"}
    for word in ("validate", "answer"):  # what is promoted has answered, what is compiled again has not
        assert states(steps)[f"{word}/{INT8}"] == {"cached", "to run"}
    assert steps[f"compile/{INT8}"][0]["seconds"] is None  # the record went with the result
    assert steps[f"answer/{INT8}"][0]["seconds"] > 0


def test_of_an_empty_workspace_everything_is_to_run_and_nothing_is_written(project, plan, run_edgekd):
    known = plan()
    steps = plan("workspace=elsewhere")
    assert steps.keys() == known.keys()
    assert {state for of in states(steps).values() for state in of} == {"to run"}
    assert not (project / "elsewhere").exists()
    setting = ("--set", "workspace=elsewhere")
    said = run_edgekd("run", "project.yaml", "--plan", *setting, cwd=project).stdout.splitlines()
    assert said[0] == "data: to run"
    count = sum(map(len, steps.values()))
    assert said[-1] == f"{count} steps: 0 cached, {count} to run"
    assert any(line.startswith("labeller: decided later: ") for line in said)


def test_another_student_shares_what_it_does_not_change(project, plan):
    path = project / "project.yaml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    document["students"][0]["training"]["epochs"] = 1
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    found = states(plan())
    cached = {name for name, of in found.items() if of == {"cached"}}
    assert cached == {
        "data", "teacher", "texts", "label", "reference/teacher", "export/teacher",
        "compile/teacher.onnxruntime.fp32", "baseline",
    }  # fmt: skip
