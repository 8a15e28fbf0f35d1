import numpy as np
import pytest

from edgekd.errors import BadInputError
from edgekd.measure.samples import RECORD, Samples, read_samples, weighted_quantile
from edgekd.measure.worker import (
    HEADER_BYTES,
    LEAD_IN,
    RECORD_BYTES,
    Recorder,
    map_samples,
    npy_header,
    shorten_samples,
)


def test_what_the_worker_maps_is_what_numpy_reads(tmp_path):
    path = tmp_path / "a.npy"
    mapped = map_samples(str(path), 8)
    texts = ["a", "b", "c"]
    recorder = Recorder(str.upper, texts, [2, 0, 1], memoryview(mapped)[HEADER_BYTES:].cast("Q"))
    recorder.lead_in(0)
    for _ in range(4):
        recorder.run(0, 7)
    # Neither closed nor flushed: a process that dies here has lost nothing.
    found = read_samples(path)
    assert found.inputs.tolist() == [2, 0, 1, 2]
    assert found.blocks.tolist() == [7, 7, 7, 7]
    assert (found.ns > 0).all()
    raw = np.load(path)
    assert len(raw) == 8
    assert raw["block"][0] == LEAD_IN
    assert raw["input"][0] == 1  # the last of the walk comes before its first
    assert recorder.answers == ["A", "B", "C"]
    shorten_samples(str(path), recorder.count)
    assert len(np.load(path)) == 5
    assert read_samples(path).inputs.tolist() == [2, 0, 1, 2]


def test_header_and_record_agree_with_numpy():
    assert RECORD.itemsize == RECORD_BYTES
    assert len(npy_header(1 << 40)) == HEADER_BYTES


def test_a_turn_by_calls_ends_after_them():
    recorder = Recorder(str.upper, ["a", "b"], [0, 1], memoryview(bytearray(50 * RECORD_BYTES)).cast("Q"))
    recorder.run(0, 0, 7)
    assert recorder.count == 7
    recorder.run(0, 1, 5)
    assert recorder.count == 12


def test_recorder_stops_when_full(tmp_path):
    recorder = Recorder(str.upper, ["a"], [0], memoryview(bytearray(5 * RECORD_BYTES)).cast("Q"))
    recorder.run(1 << 60, 0)
    assert recorder.count == 5
    assert recorder.is_full


def test_weights_make_texts_count_alike():
    ones = np.zeros(1003, np.uint32)
    inputs = np.concatenate([ones, [1, 2, 3]]).astype(np.uint32)
    ns = np.concatenate([ones + 10, [20, 30, 40]]).astype(np.uint64)
    assert weighted_quantile(Samples(ns, inputs, inputs), 0.5) == pytest.approx(25, rel=0.01)
    even = Samples(np.arange(1, 5, dtype=np.uint64), np.arange(4, dtype=np.uint32), np.zeros(4, np.uint32))
    assert weighted_quantile(even, 0.5) == 2.5


@pytest.mark.parametrize("content", [b"", b"not samples", b"\x93NUMPY\x01\x00"])
def test_unreadable_samples_are_named(tmp_path, content):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(BadInputError, match=r"a\.npy: samples cannot be read"):
        read_samples(tmp_path / "a.npy")


def test_pickled_or_foreign_arrays_are_refused(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.save(tmp_path / "floats.npy", np.zeros(3))
    for name in ("objects", "floats"):
        with pytest.raises(BadInputError):
            read_samples(tmp_path / f"{name}.npy")
