"""Agreement figures equal published examples, and an implementation by others where it has them."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from edgekd.errors import BadInputError
from edgekd.stats.raters import MISSING, cohen_kappa, krippendorff_alpha

# Krippendorff (2011), section E: four observers, twelve units, values 1 to 5.
OBSERVERS = """
1 2 3 3 2 1 4 1 2 . . .
1 2 3 3 2 2 4 1 2 5 . 3
. 3 3 3 2 3 4 2 2 5 1 .
1 2 3 3 2 4 4 1 2 5 1 .
"""
# Krippendorff (2004), as the encyclopedia has it: three coders, fifteen units, values 1 to 4.
CODERS = """
. . . . . 3 4 1 2 1 1 3 3 . 3
1 . 2 1 3 3 4 3 . . . . . . .
. . 2 1 3 4 4 . 2 1 1 3 3 . 4
"""


def table(text):
    return np.array(
        [
            [MISSING if word == "." else int(word) - 1 for word in line.split()]
            for line in text.split("\n")[1:-1]
        ]
    )


@pytest.mark.parametrize(
    ("text", "level", "alpha"),
    [
        (OBSERVERS, "nominal", 0.743),
        (OBSERVERS, "ordinal", 0.815),
        (OBSERVERS, "interval", 0.849),
        (OBSERVERS, "ratio", 0.797),
        (CODERS, "nominal", 0.691),
        (CODERS, "interval", 0.811),
    ],
)
def test_alpha_of_published_examples(text, level, alpha):
    ratings = table(text)
    values = np.arange(1, ratings.max() + 2)
    found = krippendorff_alpha(ratings, values, level)
    assert found.value == pytest.approx(alpha, abs=5e-4)
    assert found.low < found.value < found.high


def test_alpha_counts_only_what_was_rated_twice():
    found = krippendorff_alpha(table(OBSERVERS), np.arange(5))
    assert (found.units, found.ratings) == (11, 40)


# Cohen (1960) has .492 for the first table; of Cohen (1968) the weights are the squared distances.
COHEN_1960 = [[88, 14, 18], [10, 40, 10], [2, 6, 12]]


def pairs(counts):
    rows = [(one, other) for one, row in enumerate(counts) for other, n in enumerate(row) for _ in range(n)]
    return np.array(rows).T


def test_kappa_of_published_examples():
    assert cohen_kappa(*pairs(COHEN_1960), 3).value == pytest.approx(0.492, abs=5e-4)
    assert cohen_kappa(*pairs([[45, 15], [25, 15]]), 2).value == pytest.approx(0.1304, abs=5e-5)
    assert cohen_kappa(*pairs([[25, 35], [5, 35]]), 2).value == pytest.approx(0.2593, abs=5e-5)


@pytest.mark.parametrize("weights", ["none", "linear", "quadratic"])
def test_kappa_equals_that_of_scikit_learn(weights):
    rng = np.random.default_rng(0)
    one = rng.integers(0, 5, 400)
    other = np.where(rng.random(400) < 0.6, one, rng.integers(0, 5, 400))
    found = cohen_kappa(one, other, 5, weights)
    assert found.value == pytest.approx(
        cohen_kappa_score(one, other, weights=None if weights == "none" else weights)
    )


def test_the_interval_of_alpha_holds_its_value_in_about_95_of_100():
    """Two raters who are right in 80 % of rows of two kinds agree in 68 %: alpha is 0.36."""
    rng, inside = np.random.default_rng(1), 0
    for seed in range(60):
        truth = rng.integers(0, 2, 120)
        ratings = np.stack([np.where(rng.random(120) < 0.8, truth, 1 - truth) for _ in range(2)])
        found = cohen_kappa(*ratings, 2, seed=seed)
        inside += found.low <= 0.36 <= found.high
    assert inside >= 51


def test_what_has_no_agreement():
    same = np.zeros((2, 5), np.int64)
    found = krippendorff_alpha(same, np.arange(2))
    assert found.value is None and found.low is None and found.units == 5
    assert cohen_kappa(*same, 2).value is None
    apart = np.array([[0, MISSING], [MISSING, 1]])
    with pytest.raises(BadInputError, match="no row was rated by two raters"):
        krippendorff_alpha(apart, np.arange(2))
    with pytest.raises(BadInputError, match="no row was rated by both raters"):
        cohen_kappa(*apart, 2)
