"""A build that restores: what it leaves in fp32 is written down."""

import json

import pytest

RESTORED = "static-256.onnxruntime.int8-dynamic-restored"


def with_build(finished_run, folder, build):
    """A copy of the finished run with one target of one build."""
    finished_run.copy(folder)
    for name, before, after in (
        ("targets/desk.yaml", "builds: [{runtime: onnxruntime, recipe: fp32}]", f"builds: [{build}]"),
        ("project.yaml", "[cloud, desk, twin, gpu]", "[desk]"),
    ):
        text = (folder / name).read_text(encoding="utf-8")
        assert before in text
        (folder / name).write_text(text.replace(before, after), encoding="utf-8")
    return folder


def test_what_was_restored_is_in_the_manifest_and_why_in_the_log(finished_run, tmp_path, run_edgekd):
    build = "{runtime: onnxruntime, recipe: int8-dynamic, restore: true}"
    folder = with_build(finished_run, tmp_path / "again", build)
    done = run_edgekd("compile", "project.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    store = folder / ".edgekd" / "store"
    (manifest,) = store.glob(f"compile/{RESTORED}/*/artifact/manifest.json")
    (notes,) = store.glob(f"restore/{RESTORED}/*/logs/restored.json")
    found = json.loads(notes.read_text(encoding="utf-8"))
    steps = found["steps"]
    provenance = json.loads(manifest.read_text(encoding="utf-8"))["provenance"]
    assert provenance["restored"] == sorted(steps[-1]["restored"])
    assert set(provenance["restored"]) <= set(found["operators"])
    assert {bound["slice"] for bound in steps[0]["bounds"]} == {"overall"}
    assert all(bound["high"] <= bound["goal"] for bound in steps[-1]["bounds"])


@pytest.mark.long
def test_a_first_build_with_rows_or_restore_is_measured_beside_the_teacher(
    finished_run, tmp_path, run_edgekd
):
    """The teacher is compiled in fp32 whatever the first build of the first target says."""
    build = "{runtime: onnxruntime, recipe: int8-dynamic, restore: true}"
    folder = with_build(finished_run, tmp_path / "again", build)
    desk = (folder / "targets" / "desk.yaml").read_text(encoding="utf-8")
    twin = desk.replace("restore: true", "rows: 256").replace("name: desk", "name: twin") + "threads: 2\n"
    (folder / "targets" / "twin.yaml").write_text(twin, encoding="utf-8")
    text = (folder / "project.yaml").read_text(encoding="utf-8")
    (folder / "project.yaml").write_text(text.replace("[desk]", "[desk, twin]"), encoding="utf-8")
    done = run_edgekd("bench", "project.yaml", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["artifacts"]["desk"]) == {RESTORED}
    store = folder / ".edgekd" / "store"
    assert {path.name for path in store.glob("compile/teacher.*")} == {"teacher.onnxruntime.fp32"}
    measured = sorted(path.name for path in store.glob("bench/*-threads") if any(path.iterdir()))
    assert measured == ["1-threads", "2-threads"]


def test_a_recipe_that_cannot_is_refused(finished_run, tmp_path, run_edgekd):
    build = "{runtime: onnxruntime, recipe: fp32, restore: true}"
    done = run_edgekd("compile", "project.yaml", cwd=with_build(finished_run, tmp_path / "again", build))
    assert done.returncode == 2
    assert "onnxruntime/fp32 cannot leave operators in fp32" in done.stderr
    assert "Traceback" not in done.stderr
