import math

import pytest

from edgekd.errors import BadInputError
from edgekd.sizing.budget import Budget


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
def test_a_limit_is_a_number_above_nothing(value):
    for name in ("p95_ms", "peak_rss_mib", "artifact_mib", "cold_start_ms"):
        with pytest.raises(BadInputError, match=f"--{name.replace('_', '-')}: expected a number above 0"):
            Budget(**{name: value})


def test_a_drop_is_in_points():
    assert Budget(max_drop=0).limits == {}
    for value in (-0.5, 101, math.nan):
        with pytest.raises(BadInputError, match="--max-drop: expected points"):
            Budget(max_drop=value)
