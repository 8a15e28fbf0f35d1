import numpy as np
import pytest

from edgekd.distill.losses import ORIGIN_WEIGHTS, share_by_origin, weigh_by_origin
from edgekd.errors import DataError


def test_worked_figures(golden, near):
    figures = golden["row_weights"]
    assert dict(ORIGIN_WEIGHTS) == figures["weights"]
    found = share_by_origin(figures["rows"])
    assert found.effective_rows == figures["effective_rows"]
    assert list(found.shares) == list(figures["shares"])
    assert list(found.shares.values()) == near(list(figures["shares"].values()), 3)


def test_weights_of_rows_add_up_to_the_shares(golden):
    rows = golden["row_weights"]["rows"]
    origins = [origin for origin, n in rows.items() for _ in range(n)]
    weights = weigh_by_origin(origins)
    assert weights.dtype == np.float32 and weights.sum() == 44000
    own = np.array(origins) == "human_corrected"
    assert weights[own].sum() / weights.sum() == pytest.approx(
        share_by_origin(rows).shares["human_corrected"]
    )


def test_an_unknown_origin_is_named():
    with pytest.raises(DataError, match=r"'human_corected' \(did you mean 'human_corrected'"):
        weigh_by_origin(["teacher", "human_corected"])
    with pytest.raises(DataError, match="unknown origin 'web'"):
        share_by_origin({"web": 3})


def test_rows_that_weigh_nothing():
    with pytest.raises(DataError, match="no row weighs anything"):
        share_by_origin({"teacher": 0})
