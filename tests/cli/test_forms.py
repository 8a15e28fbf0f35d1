"""Every option that a verb does not use for what it was given is refused in one line: all verbs are swept."""

import ast
import inspect
import textwrap

import click
import pytest

from edgekd.cli.main import cli


def verbs(command: click.Command = cli, name: str = "") -> dict[str, click.Command]:
    if not isinstance(command, click.Group):
        return {name: command}
    found = {}
    for part, inner in command.commands.items():
        found |= verbs(inner, f"{name} {part}".strip())
    return found


VERBS = verbs()
FORMS = {
    (verb, form.name): form
    for verb, command in VERBS.items()
    for form in getattr(command.callback, "forms", ())
}
# What each form of a verb is given, in the folder of the fixture `folder`.
GIVEN = {
    ("bench", "a bundle"): ["bundle"],
    ("bench", "an artifact with --count"): ["artifact", "--count"],
    ("bench", "an artifact with a kept --baseline"): ["artifact", "--baseline", "kept"],
    ("bench", "an artifact with --baseline"): ["artifact", "--baseline", "other"],
    ("bench", "an artifact with --on"): ["artifact", "--on", "ssh://nowhere"],
    ("bench", "an artifact"): ["artifact"],
    ("bench", "a project"): ["project.yaml"],
    ("compile", "a model"): ["model.onnx"],
    ("compile", "a project"): ["project.yaml"],
    ("bundle", "an artifact"): ["artifact"],
    ("bundle", "a project"): ["project.yaml"],
    ("predict", "the student alone"): ["artifact", "a text", "--student-only"],
    ("predict", "an artifact with its policy"): ["artifact", "a text"],
    ("diagnose", "a log"): ["train.jsonl"],
    ("diagnose", "a run"): ["artifact"],
    ("show", "a list of runs"): ["runs"],
    ("show", "a list that is the same for all projects"): ["targets"],
    ("size", "a project"): ["project.yaml", "--target", "lambda-x86"],
    ("size", "a task with candidates"): ["--target", "lambda-x86", "--task", "rerank"],
    ("size", "a task without candidates"): ["--target", "lambda-x86"],
    ("plan rows", "rows with --spread"): ["--spread", "0.1", "--margin", "1"],
    ("plan rows", "rows with --lost and --gained"): ["--lost", "0.1", "--gained", "0.1", "--margin", "1"],
    ("evaluate", "logged rows"): ["project.yaml", "--shadow", "train.jsonl"],
    ("evaluate", "noisy twins"): ["project.yaml", "--twins"],
    ("evaluate", "a project"): ["project.yaml"],
    ("plan freshness", "events with --log"): ["--log", "train.jsonl", "--per-day", "9"],
    ("plan freshness", "rates with --teacher-grounded and --student-grounded"): [
        *("--teacher-grounded", "0.9", "--student-grounded", "0.8", "--slice-share", "0.1", "--per-day", "9")
    ],
}
VALUES = {click.types.IntParamType: "4", click.types.FloatParamType: "0.5", click.types.IntRange: "4"}


def words_for(parameter: click.Parameter) -> list[str]:
    if isinstance(parameter, click.Argument):
        return ["project.yaml"]
    if parameter.is_flag:
        return [parameter.opts[0]]
    if isinstance(parameter.type, click.Choice):
        return [parameter.opts[0], parameter.type.choices[0]]
    return [parameter.opts[0], VALUES.get(type(parameter.type), "a=1")]


# An option that makes another form of these, which then uses all that is given.
OTHER_FORM = {
    ("bench", "an artifact"): {"baseline", "on", "count"},
    ("bench", "an artifact with --on"): {"baseline"},
    ("bench", "an artifact with --baseline"): {"count"},
    ("bench", "an artifact with a kept --baseline"): {"count"},
    ("predict", "an artifact with its policy"): {"student_only"},
    ("size", "a task without candidates"): {"project"},
    ("plan freshness", "rates with --teacher-grounded and --student-grounded"): {"log"},
    ("evaluate", "noisy twins"): {"shadow"},
    ("evaluate", "a project"): {"shadow", "twins"},
}
CASES = [
    (verb, form, parameter)
    for verb, form in FORMS
    for parameter in VERBS[verb].params
    if parameter.name not in {*FORMS[verb, form].uses, "as_json", *OTHER_FORM.get((verb, form), ())}
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("bundle/bundle.json", "artifact/manifest.json", "other/manifest.json", "kept/bench.json"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("{}")
    for name in ("model.onnx", "project.yaml", "train.jsonl"):
        (tmp_path / name).write_text("")
    return tmp_path


def test_every_form_is_swept():
    assert set(GIVEN) == set(FORMS) and len(CASES) > 50


@pytest.mark.parametrize(
    ("verb", "form", "parameter"), CASES, ids=[f"{verb}-{form}-{p.name}" for verb, form, p in CASES]
)
def test_what_a_form_does_not_use_is_refused(speak, folder, verb, form, parameter):
    said = speak(*verb.split(), *GIVEN[verb, form], *words_for(parameter), "--json")
    assert said.code == 2
    (line,) = said.errors
    # With the option the call may be of another form, which then refuses what told the first one.
    assert " takes no " in line and "; it goes with " in line
    assert said.document == {"error": line.removeprefix("edgekd: "), "exit_code": 2}
    assert not {path.name for path in folder.iterdir()} & {
        "edgekd-bench",
        "edgekd-artifacts",
        "edgekd-bundle",
    }


@pytest.mark.parametrize("verb", sorted({verb for verb in VERBS} - {verb for verb, _ in FORMS}))
def test_a_verb_without_forms_reads_each_of_its_parameters(verb):
    function = inspect.unwrap(VERBS[verb].callback)
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert {parameter.name for parameter in VERBS[verb].params} - {"as_json"} <= read


@pytest.mark.parametrize("verb", ["bench", "compile", "bundle", "diagnose"])
def test_what_is_not_there_is_no_project(speak, folder, verb):
    said = speak(verb, "./nope")
    (line,) = said.errors
    assert said.code == 2 and "nope: there is no such file or folder; give a" in line
    said = speak(verb, "nope.yaml")
    assert said.code == 2 and "nope.yaml: no such file; give the path of a YAML file" in said.errors[0]


@pytest.mark.parametrize("verb", ["label", "distill"])
def test_what_is_the_same_for_all_targets_takes_none(speak, folder, verb):
    said = speak(verb, "project.yaml", "--target", "lambda-x86")
    assert said.code == 2 and "--target" in said.errors[0]


@pytest.mark.parametrize(
    ("option", "value"), [("--p95-ms", "0"), ("--memory-mib", "-1"), ("--p95-ms", "nan")]
)
def test_a_limit_is_above_zero(speak, folder, option, value):
    said = speak("bench", "artifact", option, value)
    assert said.code == 2 and f"{option}: expected" in said.errors[0]
