"""Texts that are YAML and that no project can be."""

import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

from fuzzing.settings import BROKEN_MODELS, BROKEN_PROJECTS, MODELS, PROJECT, put

from edgekd.config import load_model, load_project, load_target
from edgekd.config.document import DocumentError, parse_document
from edgekd.errors import ConfigError
from edgekd.pipeline.context import Context

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 10)}]\n"
    for before, name in zip("abcde", "bcdef", strict=True)
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: !!int z", "not of its kind"),
        ("a: !!float z", "not of its kind"),
        ("a: !!bool maybe", "not of its kind"),
        ("a: 2020-13-45", "not of its kind: month must be in"),
        ("a: " + "9" * 5000, "not of its kind"),
        ("a: " + "[" * 5000, "nest"),
        ("- " * 4000 + "a", "nested deeper than 50"),
        ("a: &a [*a]", "inside of what it names"),
        ("a: *b", "not YAML"),
        (LAUGHS, "more than 200,000 values"),
        ("a: 1\nb: 2\na: 3", "line 3: key 'a' stands there twice"),
        ("a: {b: 1, b: 2}", "key 'b' stands there twice"),
        ('a: "\\0"', "a NUL"),
        ("a: \0", "not YAML"),
        ("a: !!python/object/apply:os.system [id]", "not YAML"),
        ("a: !!binary aGVsbG8=", "holds bytes"),
        ("a: {b: !!set {x, y}}", "holds a set"),
        ("a: " + "x" * (1 << 20), "1,048,579 characters"),
    ],
)
def test_what_no_reader_follows_is_refused(text, words):
    with pytest.raises(DocumentError, match=words) as caught:
        parse_document(text)
    assert "\n" not in str(caught.value)


def test_aliases_and_merges_are_kept():
    text = "base: &b {epochs: 2, batch: 8}\nown: {<<: *b, epochs: 3}\nlist: [*b, *b]"
    assert parse_document(text) == yaml.safe_load(text)


def open_all(folder, document):
    (folder / "p.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    context = Context(load_project(folder / "p.yaml"), folder, print, print)
    return context.targets, context.students, context.teacher


def test_the_unbroken_project_is_right(tmp_path):
    assert len(open_all(tmp_path, PROJECT)[1]) == 2


@pytest.mark.parametrize(("why", "key", "value"), BROKEN_PROJECTS)
def test_broken_projects_are_refused(tmp_path, why, key, value):
    with pytest.raises(ConfigError) as caught:
        open_all(tmp_path, put(PROJECT, key, value))
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(("place", "key", "value"), BROKEN_MODELS)
def test_impossible_shapes_are_refused(tmp_path, place, key, value):
    (tmp_path / "models").mkdir()
    path = tmp_path / "models" / "own.yaml"
    path.write_text(yaml.safe_dump(MODELS[place]), encoding="utf-8")
    assert load_model("own", tmp_path).name == "own"
    path.write_text(yaml.safe_dump({**MODELS[place], key: value}), encoding="utf-8")
    with pytest.raises(ConfigError):
        load_model("own", tmp_path)


@pytest.mark.parametrize(
    "setting", ["students.²=x", "seed=!!int z", "seed=2020-13-45", "seed=true", "\ud83d=1"]
)
def test_broken_settings_are_refused(tmp_path, setting):
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(PROJECT), encoding="utf-8")
    with pytest.raises(ConfigError):
        load_project(tmp_path / "p.yaml", [setting])


@pytest.mark.parametrize("name", ["../models/static-256", "/etc/passwd", "a\0b", "x" * 300, "", "."])
def test_a_path_is_no_name(name):
    for load in (load_model, load_target):
        with pytest.raises(ConfigError, match="not a name"):
            load(name)


def test_a_pipe_is_no_project_file(tmp_path):
    import os

    os.mkfifo(tmp_path / "p.yaml")
    with pytest.raises(ConfigError, match="no regular file"):
        load_project(tmp_path / "p.yaml")
