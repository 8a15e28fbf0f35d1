"""Model files with ranges."""

import pytest

from edgekd.config import ModelRange, load_model, load_model_or_range
from edgekd.config.ranges import spread_layers
from edgekd.errors import ConfigError

NARROW = "kind: narrow\nname: sizes\nlayers: 1..3\nwidth: [32, 48]\nheads: [2, 3]\nfeed_forward: 64\n"


@pytest.fixture
def ranged(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()

    def write(text):
        (tmp_path / "models" / "sizes.yaml").write_text(text)
        return load_model_or_range("sizes")

    return write


def test_values_that_go_together_are_models(ranged):
    found = {model.name: model for model in ranged(NARROW).models(6)}
    # 32 is no multiple of 3 heads.
    assert len(found) == 3 * 3 and found["sizes-2l-48w-3h"].layers == 2
    assert "sizes-2l-32w-3h" not in found


def test_layers_of_a_teacher_are_spread_or_listed(ranged):
    cut = "kind: transformer\nname: sizes\nlayers: {}\n"
    assert [m.layers for m in ranged(cut.format("1..4")).models(6)] == [
        (0,),
        (0, -1),
        (0, 2, -1),
        (0, 1, 3, -1),
    ]
    assert [m.layers for m in ranged(cut.format("[[0, -1], [1, 2, 5]]")).models(6)] == [(0, -1), (1, 2, 5)]
    assert not isinstance(ranged(cut.format("[0, -1]")), ModelRange)
    with pytest.raises(ConfigError, match=r"layers: 3 of the teacher's 2; expected 1 to 2"):
        list(ranged(cut.format("1..4")).models(2))
    assert spread_layers(2, 12, "") == (0, -1)


def test_where_one_model_is_needed_a_range_is_refused(ranged):
    ranged(NARROW)
    with pytest.raises(ConfigError, match=r"is a range of models \(layers, width, heads may vary\)"):
        load_model("sizes")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("layers: 3..1", r"layers: the range 3\.\.1 is empty"),
        ("layers: 1..x", r"layers: expected a range such as 1\.\.4, got '1\.\.x'"),
        ("layers: []", "layers: the list is empty"),
        ("layers: [2, 2]", "layers: 2 is listed twice"),
        ("layers: 0..2", "layers: "),
        ("layers: [1, many]", "layers: "),
        ("layers: [1, true]", "layers: expected a number, got true"),
        ("layers: 1..90000000", "has more than 100,000 values"),
        ("heads: [5, 7]", "no values of its ranges go together: width 48 is not a multiple of its 7 heads"),
        ("wide: 1..2", "unknown key 'wide'"),
        ("runtime: [onnxruntime]\nrecipe: 3", "recipe.0: "),
        ("threads: 0..2", "threads.0: "),
        ("kind: encoder", "an encoder is a teacher and has no ranges"),
    ],
)
def test_wrong_ranges_are_one_line(ranged, change, message):
    kept = [line for line in NARROW.splitlines() if line.split(":")[0] != change.split(":")[0]]
    with pytest.raises(ConfigError, match=message) as caught:
        list(ranged("\n".join([*kept, change])).models(6))
    assert "\n" not in str(caught.value) and "sizes.yaml" in str(caught.value)
