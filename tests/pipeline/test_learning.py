from contextlib import nullcontext
from importlib.util import find_spec

import pytest

from edgekd.config import load_project
from edgekd.errors import MissingExtraError
from edgekd.pipeline import needs, run
from edgekd.pipeline.context import Context
from edgekd.pipeline.learning import teacher_step
from edgekd.store import digest_json


@pytest.fixture
def teacher_reads(small_project):
    """What the key of the teacher's step is made of, under some settings."""

    def read(*settings: str) -> dict:
        project = load_project(small_project, settings)
        context = Context(project, small_project.parent, lambda name: nullcontext(print), lambda line: None)
        step, data = teacher_step(context), context.engine.make(context.data)
        return step.key_reads(step.folders({context.data: data}))

    return read


def test_key_of_a_teacher_without_adapters_knows_nothing_of_them(teacher_reads):
    reads = teacher_reads()
    assert set(reads["settings"]) == {"model", "fine_tune", "seed", "threads"}
    assert set(reads["inputs"]) == {"rows"} and set(reads["reads"]) == {"weights", "libraries"}


def test_adapters_change_the_key_of_the_teacher(teacher_reads):
    settings = ("{}", "{rank: 8}", "{alpha: 8}", "{dropout: 0.1}")
    reads = [teacher_reads(), *(teacher_reads(f"teacher.lora={lora}") for lora in settings)]
    assert len({digest_json(one) for one in reads}) == 5
    assert reads[1]["reads"].pop("lora")["libraries"].keys() == {"peft"}
    assert reads[1] == reads[0]


def test_key_of_a_teacher_holds_what_changes_it_and_nothing_else(teacher_reads):
    where = "{where: \"device = 'ios'\", times: 4}"
    changing = (
        ("teacher.class_weights=inverse",),
        ("teacher.class_weights=effective",),
        (f"teacher.reviewed={where}",),
        ("teacher.rare_classes=[order]",),
        ("teacher.rare_classes=[order]", "teacher.rare_penalty=0.5"),
        ("teacher.pairs=64",),
    )
    plain = teacher_reads()
    reads = [plain, *(teacher_reads(*settings) for settings in changing)]
    assert len({digest_json(one) for one in reads}) == 7
    for idle in ("teacher.rare_penalty=0.5", "teacher.class_weights=equal"):
        assert teacher_reads(idle) == plain
    assert teacher_reads("teacher.rare_classes=[order]", "teacher.rare_penalty=0") == plain
    assert teacher_reads("distillation.class_weights=inverse") == plain


@pytest.mark.long
def test_a_class_that_the_teacher_does_not_have_is_said_before_any_work(small_project, run_edgekd):
    settings = ("--set", "teacher.rare_classes=[ordr]")
    done = run_edgekd("label", "project.yaml", *settings, cwd=small_project.parent)
    assert done.returncode == 2 and "teacher: done" not in done.stderr
    assert "edgekd: teacher.rare_classes: " in done.stderr and "'ordr'" in done.stderr


def test_run_with_adapters_wants_their_library_before_it_begins(small_project, monkeypatch):
    monkeypatch.setattr(needs, "find_spec", lambda name: None if name == "peft" else find_spec(name))
    project = load_project(small_project, ["teacher.lora={}"])
    context = Context(project, small_project.parent, lambda name: nullcontext(print), lambda line: None)
    with pytest.raises(
        MissingExtraError, match=r'^peft is not installed; run: pip install "edgekd\[train\]"$'
    ):
        run.run(context, "label", (), "label")
    assert not (small_project.parent / ".edgekd").exists()


@pytest.mark.long
def test_features_that_leave_no_epoch_for_answers_are_refused_before_any_work(small_project, run_edgekd):
    models = small_project.parent / "models"
    models.mkdir(exist_ok=True)
    text = "kind: transformer\nname: one\nlayers: [0]\ntraining: {epochs: 2}\n"
    (models / "one.yaml").write_text(text, encoding="utf-8")
    settings = ("--set", "students=[one]", "--set", "distillation.features={epochs: 2}")
    done = run_edgekd("distill", "project.yaml", *settings, cwd=small_project.parent)
    assert done.returncode == 2 and "teacher" not in done.stderr.split("edgekd: ")[0]
    assert "edgekd: distillation.features: 2 of one's 2 epochs leave none to learn answers in" in done.stderr
