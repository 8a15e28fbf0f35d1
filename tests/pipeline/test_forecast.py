"""A run says what it is about to make, and what the cache has, before it makes anything."""

import shutil

import pytest

from edgekd.cli.verbs import open_context
from edgekd.pipeline.forecast import Forecast, forecast
from edgekd.pipeline.learning import load_stage

pytestmark = pytest.mark.long


def predict(project):
    context = open_context(project / "project.yaml", ())
    measurable = [target for target in context.targets if target.name != "gpu"]
    return forecast(context, load_stage(context), measurable)


def test_it_knows_what_is_cached_and_builds_nothing(project):
    store = project / ".edgekd" / "store"
    done = predict(project)
    assert (done.has_teacher, done.students, done.variants, done.cached_variants) == (
        True, {"static-256": True}, 4, 4,
    )  # fmt: skip
    before = sorted(store.rglob("*"))  # the rows themselves were read to ask
    assert done.lines == (
        "plan: nothing to train or compile: the teacher, static-256 and 4 variants are cached",
    )
    (one,) = (path for path in (store / "compile").iterdir() if "int8-dynamic" in path.name)
    shutil.rmtree(one)
    assert predict(project).lines == ("plan: compile 1 variant for cloud, desk, twin (3 more are cached)",)
    shutil.rmtree(store / "distil")
    assert predict(project).lines == (
        "plan: distil static-256",
        "plan: compile 4 variants for cloud, desk, twin",
    )
    shutil.rmtree(store / "teacher")
    assert predict(project).lines[0] == "plan: fine-tune the teacher teacher on 300 rows"
    assert {path for path in before if path.exists()} == set(store.rglob("*"))


def test_a_run_says_it_before_its_first_stage(finished_run):
    lines = [line for _, line in finished_run.notes]
    first = next(i for i, line in enumerate(lines) if line.startswith("teacher: "))
    assert "plan: fine-tune the teacher teacher on 300 rows" in lines[:first]
    assert "plan: distil static-256" in lines[:first]
    assert "plan: compile 4 variants for cloud, desk, twin" in lines[:first]


def test_words_for_a_teacher_that_is_taken_as_it_is():
    some = Forecast("big", False, 10, False, {"a": True, "b": False}, (), 0, 0)
    assert some.lines == ("plan: take the teacher big as it is", "plan: distil b (1 more is cached)")
