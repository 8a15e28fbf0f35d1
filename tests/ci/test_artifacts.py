import ast
import dataclasses
import shutil
import subprocess
import sys

import pytest
from planted import copy_artifact

from edgekd.ci.artifacts import artifact_pair, artifact_subject, find_artifacts, find_baseline
from edgekd.compile import open_artifact
from edgekd.errors import ArtifactError, BadInputError

OPENS = """
import sys
module, _, function = sys.argv[1].partition(":")
answer = getattr(__import__(module, fromlist=[function]), function)(*sys.argv[2:])
print(sys.modules["serving"].__file__)
print(repr(answer("where is my order?")))
print(sorted(name for name in sys.modules if name.startswith("edgekd.")))
"""


def open_apart(subject):
    command = [sys.executable, "-c", OPENS, subject.factory, *subject.args]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_what_lies_in_the_folder_is_what_runs(artifact, tmp_path):
    changed = copy_artifact(
        artifact, tmp_path / "changed", "\nModel.__call__ = lambda self, text: 'changed'\n"
    )
    for folder, said in ((artifact, "Answer("), (changed, "'changed'")):
        done = open_apart(artifact_subject(open_artifact(folder), 1))
        assert done.returncode == 0, done.stderr
        file, answer, modules = done.stdout.splitlines()
        assert file == str(folder / "serving" / "__init__.py")
        assert answer.startswith(said)
        quiet = {"edgekd.quiet"}  # switches telemetry off, with the standard library alone
        assert set(ast.literal_eval(modules)) - quiet == {"edgekd.shipped"}, (
            "the installed edgekd's loader ran"
        )


def test_a_loader_that_the_manifest_does_not_know_is_refused(artifact, tmp_path):
    changed = copy_artifact(artifact, tmp_path / "changed")
    subject = artifact_subject(open_artifact(changed), 1)
    loader = changed / "serving" / "loader.py"
    loader.write_text(loader.read_text(encoding="utf-8") + "\n# quietly\n", encoding="utf-8")
    done = open_apart(subject)
    assert done.returncode != 0
    assert "loader.py" in done.stderr.splitlines()[-1]


def test_artifacts_are_found_once(artifact, tmp_path):
    copy_artifact(artifact, tmp_path / "x86" / "one")
    copy_artifact(artifact, tmp_path / "arm" / "one")
    copy_artifact(artifact, tmp_path / "other", "\n# another\n")
    assert find_artifacts(tmp_path) == (tmp_path / "arm" / "one", tmp_path / "other")
    assert find_artifacts(artifact) == (artifact,)
    assert find_artifacts(tmp_path / "x86" / "one" / "serving") == ()


def test_baseline_has_the_same_place_or_name(artifact, tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    at_place, by_name = (
        copy_artifact(artifact, theirs / "x86" / "one"),
        copy_artifact(artifact, theirs / "one"),
    )
    assert find_baseline(ours / "x86" / "one", ours, theirs) == at_place
    assert find_baseline(ours / "x86" / "one", None, theirs) == by_name
    shutil.rmtree(at_place)
    assert find_baseline(ours / "x86" / "one", ours, theirs) == by_name
    assert find_baseline(ours / "two", ours, theirs) is None


def test_names_tell_artifacts_apart(artifact, tmp_path):
    one = open_artifact(artifact)
    other = open_artifact(copy_artifact(artifact, tmp_path / artifact.name, "\n# another\n"))
    ours, theirs = artifact_pair(one, other, 1)
    what = f"{one.student}.{one.runtime}.{one.recipe}@"
    assert ours.name.startswith(what) and theirs.name.startswith(what) and ours.name != theirs.name
    ours, theirs = artifact_pair(one, one, 1)
    assert theirs.name == f"{ours.name} (baseline)"
    assert ours.file_stem != theirs.file_stem and ours.args == theirs.args == (str(artifact), "1")


def test_artifacts_of_two_tasks_do_not_compare(artifact):
    one = open_artifact(artifact)
    other = dataclasses.replace(one, manifest={**one.manifest, "labels": ["a", "b"]})
    with pytest.raises(BadInputError, match="knows other labels than"):
        artifact_pair(one, other, 1)


def test_an_artifact_without_its_manifest_is_found_and_named_when_it_is_opened(artifact, tmp_path):
    half = copy_artifact(artifact, tmp_path / "all" / "half")
    whole = copy_artifact(artifact, tmp_path / "all" / "whole")
    (half / "manifest.json").unlink()
    assert find_artifacts(tmp_path / "all") == (half, whole)
    assert find_baseline(tmp_path / "other" / "half", None, tmp_path / "all") == half
    with pytest.raises(ArtifactError, match=r"half/manifest\.json: not found"):
        open_artifact(half)
