"""Unlike environments refuse to compare, and say which key and both values."""

import dataclasses

import numpy as np
import pytest

from edgekd.errors import BadInputError
from edgekd.measure.stored import compare_with_stored


def levels(*values):
    return [np.full(200, value) for value in values]


QUIET = (1000, 1004, 997, 1002, 999, 1001)


@pytest.mark.parametrize(
    ("factor", "verdict"),
    [(1.0, "no change"), (1.2, "slower"), (0.8, "faster"), (1.05, "slower"), (1.025, "no change")],
)
def test_a_kept_result_is_compared_with_a_wide_guard(make_result, factor, verdict):
    stored = make_result({"a": levels(*QUIET)})
    now = make_result({"a": levels(*(round(factor * value) for value in QUIET))})
    found = compare_with_stored(now, stored)
    assert found.verdict == verdict
    assert found.ratio.low <= factor * 1.001
    assert found.ratio.high >= factor * 0.999


def test_too_few_processes_are_no_verdict(make_result):
    found = compare_with_stored(make_result({"a": levels(*QUIET)}), make_result({"a": levels(1000, 1001)}))
    assert (found.verdict, found.ratio) == ("too noisy", None)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cpu": "another cpu"}, "cpu: a cpu / another cpu"),
        ({"isa": ("avx2", "avx512f")}, r"isa: \('avx2',\) / \('avx2', 'avx512f'\)"),
        ({"cores": 8}, "cores: 2 / 8"),
        ({"governor": "powersave"}, "governor: unknown / powersave"),
        ({"kernel": "5.4"}, "kernel: 6.1 / 5.4"),
        ({"libraries": (("numpy", "1.26"),)}, r"libraries: .*2\.0.* / .*1\.26"),
        ({"threads": 2}, "threads: 1 / 2"),
    ],
)
def test_unlike_environments_refuse(make_result, changes, said):
    now = make_result({"a": levels(*QUIET)})
    stored = dataclasses.replace(now, environment=dataclasses.replace(now.environment, **changes))
    with pytest.raises(BadInputError, match=said):
        compare_with_stored(now, stored)


def test_memory_kept_back_by_the_kernel_is_no_difference(make_result):
    now = make_result({"a": levels(*QUIET)})
    other = dataclasses.replace(now.environment, memory_bytes=123)
    assert compare_with_stored(now, dataclasses.replace(now, environment=other)).verdict == "no change"


def test_other_texts_refuse(make_result):
    now = make_result({"a": levels(*QUIET)})
    with pytest.raises(BadInputError, match="inputs: "):
        compare_with_stored(now, dataclasses.replace(now, inputs_sha256="other"))
