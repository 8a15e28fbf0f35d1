import numpy as np
import pytest

from edgekd.measure.noise import find_flags
from edgekd.measure.process_bench import Scheduling


def flat(levels):
    return [np.full(50, level) for level in levels]


def test_a_quiet_run_has_no_flags(make_result):
    assert find_flags(make_result({"a": flat([1000, 1005, 998, 1001, 1003, 999])})) == ()


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        ({"steal_share": 0.03}, "the hypervisor took 3.0% of the measured cores: use a dedicated host"),
        ({"others_share": 0.4}, "other processes used 40% of the measured cores: stop other work"),
        ({"load_average": 3.2}, "load average 3.2 on 2 cores: stop other work"),
    ],
)
def test_the_machine(make_result, conditions, found):
    (flag,) = find_flags(make_result({"a": flat([1000] * 6)}, conditions=conditions))
    assert flag.startswith(found)


@pytest.mark.parametrize(
    ("levels", "found"),
    [
        ([1000, 1010, 1020, 1030, 1040, 1050], "a: its median grew 5.0% slower over the rounds"),
        ([1060, 1040, 1030, 1020, 1010, 1000], "a: its median grew 5.4% faster over the rounds"),
        ([1000, 1200, 1000, 1180, 1010, 1190], "a: its median differs by 9."),
    ],
)
def test_rounds_that_differ(make_result, levels, found):
    (flag,) = find_flags(make_result({"a": flat(levels)}))
    assert flag.startswith(found)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"scheduling": Scheduling(1, 0, 1, 500)}, "a was interrupted by other processes 83 times a second"),
        (
            {"scheduling": Scheduling(1, 300_000_000, 1, 0)},
            "a waited for its core 5% as long as it was timed",
        ),
        (
            {"timed_ns": 500_000_000, "is_full": True},
            "a: timed 0.50 of 1 s in a round because its file was full",
        ),
    ],
)
def test_processes(make_result, changes, found):
    (flag,) = find_flags(make_result({"a": flat([1000] * 6)}, changes={("a", 2): changes}))
    assert flag.startswith(found)


def test_missing_counters_are_not_noise(make_result):
    silent = {("a", number): {"scheduling": Scheduling(1, None, 1, 0)} for number in range(6)}
    assert find_flags(make_result({"a": flat([1000] * 6)}, changes=silent)) == ()


def test_unfinished_rounds_are_told(make_result):
    (flag,) = find_flags(make_result({"a": flat([1000] * 3)}, rounds=6))
    assert flag == "only 3 of 6 rounds finished: measure again for the stated plan"
