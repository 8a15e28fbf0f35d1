import sys

import pytest

from edgekd.errors import ConfigError
from edgekd.plugins import list_plugins, load_plugin


@pytest.fixture
def added(tmp_path, monkeypatch):
    """A package that adds a recipe through its entry point, as pip would install it."""
    (tmp_path / "other_recipe.py").write_text("VERSION = 1\nRUNTIMES = ('onnxruntime',)\n")
    info = tmp_path / "other-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[edgekd.recipes]\nother = other_recipe\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("other_recipe", None)


def test_an_outside_recipe_is_listed_and_loaded(added):
    assert "other" in list_plugins("recipes")
    assert load_plugin("recipes", "other").RUNTIMES == ("onnxruntime",)


def test_built_in_ones_are_listed_without_being_imported():
    assert {"fp32", "int8-dynamic", "int8-nncf"} <= set(list_plugins("recipes"))
    assert {"onnxruntime", "openvino"} <= set(list_plugins("runtimes"))


def test_unknown_names_suggest():
    with pytest.raises(ConfigError, match=r"unknown recipe .int8-dynamc. .did you mean 'int8-dynamic'"):
        load_plugin("recipes", "int8-dynamc")
