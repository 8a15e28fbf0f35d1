import json
from contextlib import nullcontext
from pathlib import Path

import pytest

from edgekd.config import Project, load_model, load_model_or_range, load_project, load_target
from edgekd.errors import ConfigError
from edgekd.pipeline.context import Context
from edgekd.plugins import list_plugins
from edgekd.progress import silent
from edgekd.resources import list_resources

MINIMAL = """\
name: p
data: {source: rows.csv}
slices: [{name: overall, margin: 1}]
students: [cut-2l]
targets: [lambda-x86]
"""


@pytest.fixture
def project(tmp_path):
    def write(text=MINIMAL):
        path = tmp_path / "p.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_minimal_project_and_overrides(project):
    loaded = load_project(
        project(),
        ["seed=7", "students.0.training.epochs=2", "slices.0.margin=2.5", "distillation.alpha=0.5"],
    )
    assert loaded.seed == 7
    assert loaded.students[0].training.epochs == 2
    assert loaded.slices[0].margin == 2.5
    assert loaded.distillation.alpha == 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("seeds: 3", "unknown key 'seeds'; did you mean 'seed'"),
        ("distillation: {alpa: 1}", "unknown key 'distillation.alpa'; did you mean 'alpha'"),
        ("distillation: {alpha: 3}", "distillation.alpha: .* less than or equal to 1, got 3"),
        ("targets: []", "targets"),
        ("targets: [a, a]", "target 'a' is listed twice"),
        ("slices: [{name: x, margin: 1}]", "one slice must be named 'overall'"),
        ("seed: .nan", "seed"),
        ("teacher: {lora: {rank: 0}}", "teacher.lora.rank: .* greater than or equal to 1, got 0"),
        ("teacher: {lora: {}, fine_tune: false}", "teacher: lora needs fine_tune: true"),
        ("name: [", "is not YAML"),
    ],
)
def test_wrong_keys_and_values_are_named(project, change, message):
    kept = [line for line in MINIMAL.splitlines() if line.split(":")[0] != change.split(":")[0]]
    with pytest.raises(ConfigError, match=message) as caught:
        load_project(project("\n".join([*kept, change])))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("setting", ["seed", "=1", "students.5.model=x", "seed=["])
def test_wrong_overrides(project, setting):
    with pytest.raises(ConfigError, match="--set"):
        load_project(project(), [setting])


@pytest.mark.parametrize("name", list_resources("targets"))
def test_every_target_file(name):
    target = load_target(name)
    for build in target.builds:
        assert build.recipe in list_plugins("recipes")
        assert build.runtime in list_plugins("runtimes")
    assert target.description


@pytest.mark.parametrize("name", list_resources("models"))
def test_every_model_file(name):
    assert load_model_or_range(name).name == name


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[2] / "bench" / "studies").glob("*.yaml")))
def test_every_study(path):
    project = load_project(path)
    for name in project.targets:
        load_target(name, path.parent)
    for entry in project.students:
        load_model(entry.model, path.parent)


def test_a_project_says_how_many_tokens_a_student_keeps(project, tmp_path):
    path = project(MINIMAL.replace("[cut-2l]", "[{model: cut-2l, vocabulary: 30522}]"))
    (whole,) = Context(load_project(path), tmp_path, lambda _: nullcontext(silent), print).students
    as_it_is = load_model("cut-2l")
    assert (as_it_is.vocabulary, whole.vocabulary) == (8192, 30522)
    assert whole.training == as_it_is.training


def test_own_targets_come_first(tmp_path):
    (tmp_path / "targets").mkdir()
    builds = "builds: [{runtime: openvino, recipe: fp32}]"
    text = f"name: lambda-x86\nhardware: {{arch: x86_64, memory_mib: 512}}\n{builds}"
    (tmp_path / "targets" / "lambda-x86.yaml").write_text(text)
    assert load_target("lambda-x86", tmp_path).hardware.memory_mib == 512
    with pytest.raises(ConfigError, match=r"unknown target 'lamda-x86' \(did you mean 'lambda-x86'"):
        load_target("lamda-x86", tmp_path)


def test_every_field_is_documented_in_the_schema():
    schema = json.dumps(Project.model_json_schema())
    document = json.loads(schema)
    for name, definition in {"Project": document, **document["$defs"]}.items():
        for key, value in definition.get("properties", {}).items():
            assert value.get("description") or "$ref" in value, f"{name}.{key} has no description"


def test_limits_and_builds_of_a_target_may_differ_by_task(tmp_path):
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "desk.yaml").write_text(
        "name: desk\nhardware: {arch: x86_64, memory_mib: 4096}\n"
        "builds: [{runtime: onnxruntime, recipe: int8-dynamic}]\nlimits: {p95_ms: 20, peak_rss_mib: 300}\n"
        "tasks: {rerank: {limits: {p95_ms: 150}, builds: [{runtime: openvino, recipe: fp32}]},"
        " respond: {limits: {peak_rss_mib: 900}}}\n"
    )
    target = load_target("desk", tmp_path)
    assert target.of_task("intent") == target
    rerank, respond = target.of_task("rerank"), target.of_task("respond")
    assert (rerank.limits.p95_ms, rerank.limits.peak_rss_mib) == (150, 300)
    assert [build.runtime for build in rerank.builds] == ["openvino"]
    assert (respond.limits.p95_ms, respond.limits.peak_rss_mib) == (20, 900)
    assert respond.builds == target.builds
