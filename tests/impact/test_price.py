import numpy as np
import pytest
from pydantic import ValidationError

from edgekd.config import Hardware, Price, load_target
from edgekd.impact.price import cost_per_1000_usd

LAMBDA = Hardware(arch="x86_64", memory_mib=1769)


def test_calls_are_billed_by_whole_milliseconds_and_reserved_memory():
    price = Price(gb_second_usd=0.0000166667, request_usd=0.0000002)
    second = 1769 / 1024 * 0.0000166667
    found = cost_per_1000_usd(np.array([0.04, 0.99, 1.0]), price, LAMBDA)
    assert found == pytest.approx(1000 * (0.001 * second + 0.0000002))
    assert cost_per_1000_usd(np.array([1.01]), price, LAMBDA) == pytest.approx(
        1000 * (0.002 * second + 0.0000002)
    )


def test_a_machine_by_the_hour_is_billed_by_the_time_of_the_calls():
    assert cost_per_1000_usd(np.array([1.0, 3.0]), Price(hour_usd=3.6), LAMBDA) == pytest.approx(0.002)


@pytest.mark.parametrize("given", [{}, {"hour_usd": 1, "gb_second_usd": 1}, {"hour_usd": 0}])
def test_a_price_is_one_of_the_two(given):
    with pytest.raises(ValidationError):
        Price(**given)


def test_lambda_targets_have_their_price():
    assert load_target("lambda-x86").price.gb_second_usd > load_target("lambda-arm").price.gb_second_usd
