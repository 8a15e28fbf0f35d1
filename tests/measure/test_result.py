import math
from dataclasses import replace

import numpy as np
import pytest

from edgekd.errors import BadInputError

MICROSECOND = 1000


def test_percentile_is_of_the_pooled_samples_and_not_a_mean(make_result):
    # The slow process has most of the samples: a mean of medians would say 150.
    result = make_result({"a": [np.full(20, 100), np.full(80, 200)]})
    assert result.percentile("a", 0.5).estimate == 200


def test_percentile_spreads_with_processes_and_holds_the_order_statistics(make_result):
    rng = np.random.default_rng(0)
    alike = [rng.integers(90_000, 110_000, 500) for _ in range(6)]
    unlike = [part * factor // 100 for part, factor in zip(alike, (90, 95, 100, 105, 110, 100), strict=True)]
    result = make_result({"alike": alike, "unlike": unlike})
    narrow, wide = result.percentile("alike", 0.5), result.percentile("unlike", 0.5)
    assert narrow.low <= narrow.estimate <= narrow.high
    assert wide.high - wide.low > 4 * (narrow.high - narrow.low)


def test_processes_that_agree_by_chance_do_not_hide_the_samples_spread(make_result):
    samples = np.arange(1, 1001) * 1000
    result = make_result({"a": [samples, samples]})
    found = result.percentile("a", 0.5)
    assert (found.low, found.high) == (478_000, 523_000)  # ranks 956 and 1045 of 2,000, each value twice


@pytest.mark.parametrize(("q", "needed"), [(0.95, 130), (0.99, 662), (0.999, 6636)])
def test_percentile_is_not_stated_below_its_count(make_result, q, needed):
    half = needed // 2
    enough = make_result({"a": [np.arange(1, half + 1), np.arange(1, needed - half + 1)]})
    assert enough.percentile("a", q) is not None
    short = make_result({"a": [np.arange(1, half + 1), np.arange(1, needed - half)]})
    assert short.percentile("a", q) is None
    assert short.ratio("a", "a", q) is None


def test_one_process_gives_no_interval(make_result):
    result = make_result({"a": [np.arange(1, 1001)]})
    assert result.percentile("a", 0.5) is None
    assert result.ratio("a", "a") is None
    assert result.cold_start_ms("a") is None


def test_percentile_covers_with_biased_processes(make_result):
    rng = np.random.default_rng(3)
    covered = []
    for _ in range(300):
        biases = rng.normal(0, 0.02, 6)
        result = make_result({"a": [rng.lognormal(math.log(1e5) + bias, 0.1, 80) for bias in biases]})
        found = result.percentile("a", 0.5)
        covered.append(found.low <= 1e5 <= found.high)
    assert np.mean(covered) >= 0.93


def test_ratio_is_paired_by_round(make_result):
    rng = np.random.default_rng(4)
    phases = (1.0, 1.5, 0.8, 1.2)  # the machine's speed, the same for both in a round
    base = [(rng.normal(1e6, 1e4, 200) * phase).astype(int) for phase in phases]
    result = make_result({"a": base, "b": [(part * 1.25).astype(int) for part in base]})
    found = result.ratio("b", "a")
    assert found.estimate == pytest.approx(1.25, rel=1e-4)
    assert found.high - found.low < 1e-3
    assert result.ratio("a", "b").estimate == pytest.approx(1 / found.estimate)


def test_ratio_compares_the_same_texts(make_result):
    lengths = np.random.default_rng(5).permutation(np.arange(1, 401))
    fast = (np.tile(lengths, 2) * 1000, np.tile(np.arange(400), 2))
    # The slow one got through 1 1/2 walks of the first hundred texts only.
    slow = (
        np.concatenate([lengths[:100], lengths[:50]]) * 2000,
        np.concatenate([np.arange(100), np.arange(50)]),
    )
    result = make_result({"fast": [fast] * 3, "slow": [slow] * 3})
    assert result.ratio("slow", "fast", 0.5).estimate == pytest.approx(2.0, rel=0.01)
    assert result.ratio("slow", "fast", 0.9).estimate == pytest.approx(2.0, rel=0.01)


def test_cold_start_is_a_median_with_an_interval(make_result):
    six = make_result({"a": [np.full(20, 100)] * 6}).cold_start_ms("a")
    assert (six.estimate, six.low, six.high) == (32.5, 30.0, 35.0)
    three = make_result({"a": [np.full(20, 100)] * 3}).cold_start_ms("a")
    assert three.estimate == 31.0
    assert three.low < 30.0 < 32.0 < three.high


def test_cold_starts_are_compared_round_by_round(make_result):
    """Each process starts a millisecond later than the last: only within a round they differ for sure."""
    result = make_result({"a": [[100]] * 6, "b": [[100]] * 6})
    late = [replace(p, cold_start=replace(p.cold_start, total_ns=p.cold_start.total_ns + 10**6))
            for p in result.subject("b").processes]  # fmt: skip
    result = replace(
        result, subjects=(result.subject("a"), replace(result.subject("b"), processes=tuple(late)))
    )
    assert result.cold_start_ms("b").low < result.cold_start_ms("a").high
    found = result.cold_start_ratio("a", "b")
    assert 0.96 < found.low <= found.estimate <= found.high < 0.98
    assert make_result({"a": [[100]], "b": [[100]]}).cold_start_ratio("a", "b") is None


def test_the_peak_is_that_of_the_largest_process(make_result):
    assert make_result({"a": [[100]] * 3}).peak_rss_bytes("a") == 32


def test_unknown_subject_and_lost_samples_are_named(make_result):
    result = make_result({"int8": [[100]] * 2})
    with pytest.raises(BadInputError, match=r"no subject 'int9' was measured \(did you mean 'int8'\?\)"):
        result.percentile("int9", 0.5)
    (result.folder / "int8-1.npy").unlink()
    with pytest.raises(BadInputError, match=r"int8-1\.npy: samples are missing"):
        result.percentile("int8", 0.5)
