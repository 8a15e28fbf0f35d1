import pytest

from edgekd.config import Distillation, FeatureStage, NarrowModel, Origin

SHAPE = {"kind": "narrow", "name": "n", "layers": 2, "width": 24, "heads": 4, "feed_forward": 48}


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_alpha_of_a_class_is_a_share(alpha):
    with pytest.raises(ValueError, match="alpha_of"):
        Distillation(alpha_of={"claim": alpha})


@pytest.mark.parametrize("weight", [0, -1, float("nan")])
def test_every_origin_weighs_something(weight):
    with pytest.raises(ValueError, match="weights"):
        Origin(weights={"teacher": weight})


def test_a_feature_stage_matches_something():
    assert FeatureStage(hidden=0).attention == 1 and FeatureStage(attention=0).hidden == 1
    with pytest.raises(ValueError, match="nothing is matched"):
        FeatureStage(hidden=0, attention=0, output=1)


def test_heads_divide_the_width():
    assert NarrowModel(**SHAPE).width == 24
    with pytest.raises(ValueError, match="width 24 is not a multiple of its 5 heads"):
        NarrowModel(**{**SHAPE, "heads": 5})
