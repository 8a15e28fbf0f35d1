import pytest

from edgekd.distill.training.layermap import check_map, uniform_map
from edgekd.errors import ConfigError

DEPTHS = [(m, n) for m in range(1, 13) for n in range(1, 13)]


def test_as_in_tinybert():
    assert uniform_map(4, 12) == {0: 0, 1: 3, 2: 6, 3: 9, 4: 12}
    assert uniform_map(6, 12) == {0: 0, 1: 2, 2: 4, 3: 6, 4: 8, 5: 10, 6: 12}


@pytest.mark.parametrize(("student", "teacher"), DEPTHS)
def test_any_depth_is_mapped_evenly(student, teacher):
    found = uniform_map(student, teacher)
    check_map(found, student, teacher)
    assert list(found) == list(range(student + 1)) and found[student] == teacher
    steps = {found[m + 1] - found[m] for m in range(student)}
    assert max(steps) - min(steps) <= 1
    if student <= teacher:
        assert len(set(found.values())) == student + 1


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ({1: 7}, "the teacher has layers 1 to 6 and 0, its embeddings; there is no 7"),
        ({3: 6}, "the student has layers 1 to 2 and 0, its embeddings; there is no 3"),
        ({-1: 6}, "there is no -1"),
        ({0: 1, 1: 2}, "0, the embeddings, goes with 0 alone"),
        ({1: 0}, "0, the embeddings, goes with 0 alone"),
        ({1: 6, 2: 3}, "crosses"),
        ({2: 3, 1: 6}, "crosses"),
        ({0: 0}, "maps no layer"),
        ({}, "maps no layer"),
    ],
)
def test_a_wrong_map_is_one_line(layers, words):
    with pytest.raises(ConfigError) as caught:
        check_map(layers, 2, 6)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_layers_may_be_left_out():
    check_map({2: 6}, 2, 6)
    check_map({1: 3, 2: 3}, 2, 6)
