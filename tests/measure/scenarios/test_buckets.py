import dataclasses

import numpy as np
import pytest

from edgekd.errors import BadInputError
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.scenarios.buckets import Bucket, bucket_latencies, digest_inputs, split_by_length
from edgekd.measure.session import measure_subjects
from edgekd.measure.subject import Subject

TEXTS = ["a" * length for length in (1, 2, 3, 4, 10, 20, 30, 40)]


def test_quartiles_of_the_lengths():
    found = split_by_length(TEXTS)
    assert found.unit == "characters"
    assert found.buckets == (Bucket(1, 2, 2), Bucket(3, 4, 2), Bucket(10, 20, 2), Bucket(30, 40, 2))
    assert found.numbers == (0, 0, 1, 1, 2, 2, 3, 3)
    assert found.members(found.buckets[1]).tolist() == [False, False, True, True, *[False] * 4]


def test_equal_lengths_stay_together():
    lengths = [5, 5, 5, 5, 5, 5, 9, 7]
    found = split_by_length(TEXTS, lengths, "tokens")
    assert found.unit == "tokens"
    assert found.buckets == (Bucket(5, 5, 6), Bucket(7, 9, 2))
    assert found.numbers == (0, 0, 0, 0, 0, 0, 1, 1)
    assert split_by_length(TEXTS, [3] * 8).buckets == (Bucket(3, 3, 8),)


@pytest.mark.parametrize("count", [1, 3, 20])
def test_every_input_is_in_the_bucket_that_its_length_names(count):
    lengths = np.random.default_rng(0).geometric(0.08, 500)
    found = split_by_length(["a" * length for length in lengths], count=count)
    assert sum(bucket.inputs for bucket in found.buckets) == 500
    for length, number in zip(lengths, found.numbers, strict=True):
        assert found.buckets[number].shortest <= length <= found.buckets[number].longest
    for one, other in zip(found.buckets, found.buckets[1:], strict=False):
        assert one.longest < other.shortest
        assert min(one.inputs, other.inputs) > 0


def test_what_cannot_be_split():
    for arguments in ((TEXTS, [1, 2]), ([],), (TEXTS, None, "characters", 0)):
        with pytest.raises(BadInputError):
            split_by_length(*arguments)


def scripted(make_result, ns_per_bucket, calls=400, rounds=4):
    """Two subjects, `slow` twice as slow as `fast`, each input answered equally often."""
    rng = np.random.default_rng(0)
    inputs = np.arange(calls) % 8
    processes = {"fast": [], "slow": []}
    for _ in range(rounds):
        base = np.array(ns_per_bucket)[inputs // 2] * rng.uniform(0.99, 1.01, calls)
        processes["fast"].append((base, inputs))
        processes["slow"].append((2 * base, inputs))
    return dataclasses.replace(make_result(processes), inputs=8, inputs_sha256=digest_inputs(TEXTS))


def test_each_bucket_has_its_own_figures(make_result):
    result = scripted(make_result, (1000, 2000, 4000, 8000))
    found = bucket_latencies(result, "slow", split_by_length(TEXTS), "fast")
    assert [entry.bucket and entry.bucket.longest for entry in found] == [None, 2, 4, 20, 40]
    assert [entry.calls for entry in found] == [1600, 400, 400, 400, 400]
    for entry, ns in zip(found[1:], (1000, 2000, 4000, 8000), strict=True):
        assert entry.p50.low <= 2 * ns * 1.001
        assert entry.p50.high >= 2 * ns * 0.999
        assert 2 * ns * 0.98 < entry.p50.estimate < entry.p95.estimate < 2 * ns * 1.02
        assert entry.p50_ratio.estimate == pytest.approx(2, rel=1e-3)
        assert entry.p95_ratio.estimate == pytest.approx(2, rel=1e-3)


def test_all_buckets_together_are_the_result_itself(make_result):
    result = scripted(make_result, (1000, 2000, 4000, 8000))
    overall, *_ = bucket_latencies(result, "slow", split_by_length(TEXTS), "fast")
    assert (overall.p50, overall.p95) == (result.percentile("slow", 0.5), result.percentile("slow", 0.95))
    assert overall.p50_ratio == result.ratio("slow", "fast", 0.5)
    assert overall.p95_ratio == result.ratio("slow", "fast", 0.95)


def test_too_few_calls_have_no_figure(make_result):
    result = scripted(make_result, (1000, 2000, 4000, 8000), calls=80)  # 80 in a bucket; p95 needs 130
    overall, *rest = bucket_latencies(result, "slow", split_by_length(TEXTS), "fast")
    assert overall.p95 is not None
    for entry in rest:
        assert entry.p50 is not None
        assert entry.p95 is entry.p95_ratio is None


def test_a_process_that_never_met_a_bucket_leaves_it_without_figures(make_result):
    few = (np.full(400, 1000.0), np.zeros(400))
    result = make_result({"one": [few, few]})
    result = dataclasses.replace(result, inputs=8, inputs_sha256=digest_inputs(TEXTS))
    _, first, *others = bucket_latencies(result, "one", split_by_length(TEXTS))
    assert first.p50.estimate == 1000
    assert first.p50_ratio is None
    assert all(entry.calls == 0 and entry.p50 is None for entry in others)


def test_buckets_of_other_texts_are_refused(make_result):
    result = scripted(make_result, (1000, 2000, 4000, 8000))
    with pytest.raises(BadInputError, match="split the texts that were measured"):
        bucket_latencies(result, "slow", split_by_length(TEXTS[::-1]))


def test_longer_texts_are_found_slower(tmp_path):
    subjects = [Subject("by length", "subjects:by_length"), Subject("flat", "subjects:spin", ("100",))]
    plan = MeasurePlan(rounds=3, seconds=0.15, warmup_seconds=0.0)
    result = measure_subjects(subjects, TEXTS, tmp_path, plan)
    overall, *found = bucket_latencies(result, "by length", split_by_length(TEXTS), "flat")
    assert overall.calls == sum(entry.calls for entry in found)
    for entry, (short, long) in zip(found, ((1, 2), (3, 4), (10, 20), (30, 40)), strict=True):
        # 10 us a character against 100 us; the clock and the call add about one. Half of a bucket's calls
        # are its short text, half its long one: the median may lie anywhere from the one to the other.
        slowest = long * 10_000 * 1.1 + 3000
        assert short * 10_000 <= entry.p50.estimate < slowest
        assert 0.9 * short * 10_000 / 100_000 <= entry.p50_ratio.estimate < slowest / 100_000
