"""How many rows tell two rates apart."""

from __future__ import annotations

import math
from statistics import NormalDist

from edgekd.errors import BadInputError


def rows_per_arm(
    baseline: float,
    degraded: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    two_sided: bool = True,
    control_per_row: float = 1.0,
) -> int:
    """Return how many rows the arm under test needs to find a change of its rate, `power` of the times.

    The normal approximation with unpooled variances; `control_per_row` rows of the other arm come with
    each, 9 where a tenth of the traffic goes to the arm under test. Source: Fleiss, J. L., Levin, B. and
    Paik, M. C. (2003), Statistical methods for rates and proportions, 3rd ed., section 4.2.

    >>> rows_per_arm(0.90, 0.895)
    57760
    >>> rows_per_arm(0.90, 0.895, control_per_row=9)
    32644
    """
    for name, share in (("baseline", baseline), ("degraded", degraded), ("alpha", alpha), ("power", power)):
        if not 0 < share < 1:
            raise BadInputError(f"{name}: expected a share between 0 and 1, got {share:g}")
    if baseline == degraded:
        raise BadInputError(f"no number of rows tells a rate of {baseline:g} from itself")
    if not control_per_row > 0:
        raise BadInputError(f"control rows for each row: expected more than 0, got {control_per_row:g}")
    normal = NormalDist()
    z = normal.inv_cdf(1 - alpha / (2 if two_sided else 1)) + normal.inv_cdf(power)
    variance = degraded * (1 - degraded) + baseline * (1 - baseline) / control_per_row
    return math.ceil(z * z * variance / (degraded - baseline) ** 2)
