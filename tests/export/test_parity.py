import numpy as np
import pytest

from edgekd.errors import ParityError
from edgekd.export import prove_parity
from edgekd.export.parity import compare_numbers


def reference(ids):
    return np.array([sum(ids), 1.0, -1.0], np.float32)


def test_equal_answers_pass_with_figures():
    parity = prove_parity(reference, lambda ids: reference(ids) + np.float32(1e-5), [[1], [2, 3]])
    assert parity.texts == 2
    assert 0 < parity.worst < 1e-4


def test_worst_text_and_difference_are_named():
    def candidate(ids):
        return reference(ids) + np.float32(0.001 if len(ids) == 1 else 0.25)

    with pytest.raises(ParityError, match=r"differ by 0\.25, allowed 0\.0001; worst of 2.*'long one'"):
        prove_parity(reference, candidate, [[1], [2, 3]], ["short", "long one"])


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (np.empty((0,), np.float32), r"shape \(0,\), expected \(3,\)"),
        (np.zeros((1, 3), np.float32), r"shape \(1, 3\), expected \(3,\)"),
        (np.zeros((0, 3), np.float32), r"shape \(0, 3\)"),
        (np.array([0, np.nan, 0], np.float32), "candidate's outputs are not finite for 2 texts: 'a'"),
        (np.array([0, np.inf, 0], np.float32), "not finite"),
    ],
)
def test_no_usable_answer_is_an_error_before_any_figure(answer, said):
    with pytest.raises(ParityError, match=said):
        prove_parity(reference, lambda ids: answer, [[1], [2]], ["a", "b"])


def test_no_text_proves_nothing():
    with pytest.raises(ParityError, match="at least one text"):
        prove_parity(reference, reference, [])


def test_error_share_is_relative_to_the_spread():
    first = np.array([[0, 2], [4, 6]], np.float32)
    parity = compare_numbers(first, first + 1, ["a", "b"])
    assert parity.mean_error_share == pytest.approx(1 / np.sqrt(5))
