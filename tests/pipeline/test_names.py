"""What would share a name or a folder of a run is refused, or has a folder of its own."""

from contextlib import nullcontext

import pytest

from edgekd.config import load_project, load_target
from edgekd.errors import BadInputError, ConfigError
from edgekd.pipeline.bundling import bundle_promoted
from edgekd.pipeline.context import Context
from edgekd.pipeline.going import goes_on, going_on, has_logs
from edgekd.resources import list_resources

PROJECT = """\
name: small
data: {source: mangaassist}
slices: [{name: overall, margin: 1}]
teacher: {model: mine}
students: [static-256]
targets: [lambda-x86]
"""
TEACHER = "{kind: encoder, name: mine, weights: ./weights, training: {epochs: EPOCHS}}"
TARGET = "name: NAME\nhardware: {arch: x86_64, memory_mib: 512}\nbuilds: BUILDS\n"
FP32 = "{runtime: onnxruntime, recipe: fp32}"


@pytest.fixture
def project(tmp_path):
    for name in ("models", "targets", "weights"):
        (tmp_path / name).mkdir()
    (tmp_path / "models" / "mine.yaml").write_text(TEACHER.replace("EPOCHS", "1"))
    (tmp_path / "weights" / "config.json").write_text("{}")
    (tmp_path / "project.yaml").write_text(PROJECT)
    return tmp_path / "project.yaml"


def open_context(project, *settings) -> Context:
    return Context(
        load_project(project, settings), project.parent, lambda title: nullcontext(), print, settings
    )


def write_target(project, name, builds=f"[{FP32}]"):
    text = TARGET.replace("NAME", name).replace("BUILDS", builds)
    (project.parent / "targets" / f"{name}.yaml").write_text(text)


def test_runs_of_two_teachers_have_two_folders(project):
    first = open_context(project).run_folder
    assert open_context(project).run_folder == first
    (project.parent / "models" / "mine.yaml").write_text(TEACHER.replace("EPOCHS", "2"))
    second = open_context(project).run_folder
    (project.parent / "weights" / "config.json").write_text('{"hidden_size": 64}')
    third = open_context(project).run_folder
    (project.parent / "models" / "between.yaml").write_text(TEACHER.replace("mine", "between"))
    assert len({first, second, third}) == 3 and first.parent == third.parent
    (project.parent / "weights" / "config.json").unlink()  # the folder can be told where they are not
    assert open_context(project).run_folder not in {first, second, third}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("students=[teacher]", "students: 'teacher' names a model that is no student"),
        ("students=[label]", "students: 'label' names a model that is no student"),
        ("targets=[rows]", "targets: 'rows' is a folder of each run's evidence"),
        ("targets=[bench]", "targets: 'bench' is a folder of each run's evidence"),
    ],
)
def test_names_that_a_run_needs_are_refused(project, settings, words):
    for name in ("teacher", "label"):
        text = f"{{kind: static, name: {name}, dimension: 256}}"
        (project.parent / "models" / f"{name}.yaml").write_text(text)
    for name in ("rows", "bench"):
        write_target(project, name)
    context = open_context(project, settings)
    with pytest.raises(ConfigError, match=words):
        _ = context.students, context.targets


@pytest.mark.parametrize(
    "builds",
    [f"[{FP32}, {FP32}]", "[{runtime: r, recipe: int8-64}, {runtime: r, recipe: int8, rows: 300}, "
     "{runtime: r, recipe: int8-300}]"],
)  # fmt: skip
def test_two_builds_of_one_name_are_refused(project, builds):
    write_target(project, "mine", builds)
    with pytest.raises(ConfigError, match=r"mine\.yaml: builds.*is listed twice"):
        load_target("mine", project.parent)
    write_target(project, "mine")
    path = project.parent / "targets" / "mine.yaml"
    path.write_text(f"{path.read_text()}tasks: {{rerank: {{builds: {builds}}}}}\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml: tasks\.rerank\.builds.*is listed twice"):
        load_target("mine", project.parent)


def test_no_target_of_ours_has_a_build_twice():
    assert all(load_target(name) for name in list_resources("targets"))


def test_a_target_without_a_bundle_is_said_as_that(project):
    write_target(project, "mine")
    context = open_context(project, "targets=[mine, lambda-x86]")
    with pytest.raises(BadInputError, match="target mine names no bundle; add one to its file"):
        list(bundle_promoted(context, ["mine"], None))
    with pytest.raises(BadInputError, match="lambda-x86: nothing is promoted"):
        list(bundle_promoted(context, ["lambda-x86"], None))


def test_a_run_is_seen_while_it_goes_on(project):
    run = open_context(project).run_folder
    assert not goes_on(run) and has_logs(run)  # as one that was made before there were locks
    with going_on(run):
        assert goes_on(run) and not has_logs(run)
    assert not goes_on(run) and not has_logs(run)  # it was cut
    (run / "logs").mkdir(parents=True)
    assert has_logs(run)
