"""What a run finds in the cache though it asks for less than what is there, or for a slice more."""

import json

import pytest

pytestmark = pytest.mark.long
SLICES = (
    "[{name: overall, tier: prove, margin: 10}, "
    "{name: orders, recall_of: [order], tier: prove, margin: 30}, "
    "{name: ios, where: \"device = 'ios'\", margin: 20}]"
)


def test_one_target_of_a_finished_run_measures_nothing_again(project, run_edgekd):
    done = run_edgekd("run", "project.yaml", "--target", "desk", "--plan", "--json", cwd=project)
    steps = {step["name"]: step["state"] for step in json.loads(done.stdout)["steps"]}
    assert steps["bench/1-threads"] == "cached", done.stderr
    done = run_edgekd("gate", "project.yaml", "--target", "desk", "--json", cwd=project)
    assert "bench/1-threads: cached, with more artifacts" in done.stderr
    assert [target["name"] for target in json.loads(done.stdout)["targets"]] == ["desk"]


def test_a_slice_more_trains_nothing_where_it_chooses_the_same_epoch(project, run_edgekd):
    done = run_edgekd("distill", "project.yaml", "--set", f"slices={SLICES}", "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    before = run_edgekd("distill", "project.yaml", "--json", cwd=project)
    assert json.loads(done.stdout)["students"] == json.loads(before.stdout)["students"]
    assert json.loads(done.stdout)["run"] != json.loads(before.stdout)["run"]
    assert "distil/static-256: cached" in done.stderr
