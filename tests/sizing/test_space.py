"""The shapes of range files that a target's runtimes can run."""

import pytest

from edgekd.config import load_model, load_model_or_range, load_target
from edgekd.config.ranges import read_range
from edgekd.errors import ConfigError
from edgekd.sizing.design import design_models, untaught
from edgekd.sizing.space import Space

TARGET = load_target("lambda-x86")
STATIC = {"kind": "static", "name": "s", "dimension": [64, 128]}
NARROW = {"kind": "narrow", "name": "n", "layers": "1..2", "width": 64, "heads": 2, "feed_forward": 128}


def space(**more):
    return Space((read_range({**STATIC, **more}, "s", "s.yaml"),), 6)


def test_builds_are_those_of_the_target_that_serve_the_kind():
    names = [shape.name for shape in space().shapes(TARGET)]
    assert names == [
        f"s-{dimension}d.{build}"
        for dimension in (64, 128)
        for build in ("numpy.int8-tables", "onnxruntime.int8-dynamic", "onnxruntime.fp32")
    ]
    narrow = Space((read_range(NARROW, "n", "n.yaml"), load_model("cut-2l")), 6)
    assert {shape.runtime for shape in narrow.shapes(TARGET)} == {"onnxruntime"}


def test_a_file_may_say_how_its_students_are_compiled():
    shapes = list(space(recipe=["int8-dynamic", "int4-tables"], rows=[4096]).shapes(TARGET))
    assert {(one.runtime, one.recipe, one.rows) for one in shapes} == {
        ("onnxruntime", "int8-dynamic", 4096),
        ("onnxruntime", "int4-tables", 4096),
    }
    # Two threads where the target has one processor; int8-nncf is for OpenVINO, and not safe on AVX2.
    for more, why in (
        ({"threads": [2]}, "lambda-x86 has 1 processors, not 2"),
        ({"recipe": "int8-nncf"}, "recipe int8-nncf is not for"),
        ({"runtime": "openvino"}, "lambda-x86 has no openvino"),
    ):
        with pytest.raises(ConfigError, match=why) as caught:
            list(space(**more).shapes(TARGET))
        assert "no shape of the model files (s) can run there" in str(caught.value)
    with pytest.raises(ConfigError, match="recipe 'int9' is unknown"):
        list(space(recipe=["int9"]).shapes(TARGET))
    with pytest.raises(ConfigError, match=r"no shape of the model files \(none\) can run there"):
        list(Space((), 6).shapes(TARGET))


def test_a_draw_is_the_same_for_a_seed_and_takes_families_in_turn():
    files = tuple(load_model_or_range(f"sizes-{name}") for name in ("static", "narrow", "cut"))
    whole = Space(files, 6)
    drawn = whole.draw(TARGET, 14, 3)
    assert drawn == whole.draw(TARGET, 14, 3) != whole.draw(TARGET, 14, 4)
    kinds = {(one.model.kind, *one.family) for one in drawn}
    assert len(kinds) == 7 and len({one.name for one in drawn}) == 14
    assert not set(drawn) & set(whole.draw(TARGET, 14, 3, leave_out=drawn))


def test_students_that_differ_in_training_alone_are_one():
    cut = load_model("cut-3l")
    taught = cut.model_copy(update={"name": "other", "layers": (1, 2, 3)})
    assert untaught(cut) == untaught(taught) and untaught(cut).name == "cut-3l-8192v-0p-64t"
    names = [model.name for model in design_models(6)]
    assert len(set(names)) == len(names) > len(design_models(6, with_pairs=False))
    assert all(model == untaught(model) for model in design_models(12))
