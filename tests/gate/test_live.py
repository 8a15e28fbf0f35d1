import json

import pytest

from edgekd.config import Slice
from edgekd.errors import DataError
from edgekd.gate.live import judge_counts, read_counts

SLICES = {name: Slice(name=name, margin=margin) for name, margin in (("overall", 1.5), ("ios", 4))}


def write(tmp_path, *rows, end="\n"):
    path = tmp_path / "counts.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows) + end)
    return path


def count(name, arm, n, hits, **more):
    return {"slice": name, "arm": arm, "n": n, "hits": hits, **more}


def test_lines_are_summed_and_each_slice_judged_by_its_margin(tmp_path):
    rows = [count(name, "incumbent", 1000, 900, host="a") for name in SLICES for _ in range(20)]
    rows += [count("overall", "candidate", 1000, 897) for _ in range(20)]
    rows += [count("ios", "candidate", 1000, 800) for _ in range(20)]
    counts = read_counts(write(tmp_path, *rows), SLICES)
    assert counts["overall"][0].n == 20_000 and counts["ios"][1].hits == 16_000
    found = judge_counts(counts, SLICES)
    assert {name: watched.decision for name, watched in found.items()} == {
        "overall": "go on",
        "ios": "stop: harm",
    }


def test_a_line_that_is_still_being_written_waits(tmp_path):
    rows = [count("overall", "incumbent", 10, 9), count("overall", "candidate", 10, 9)]
    path = write(tmp_path, *rows, count("overall", "candidate", 10, 0), end="")
    assert read_counts(path, SLICES)["overall"][1].n == 10


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"slice": "overall"}, "line 1: expected arm, hits, n, slice"),
        (count("iso", "candidate", 1, 1), "line 1: .*'iso'.*ios"),
        (count("ios", "control", 1, 1), "arm must be incumbent or candidate"),
        (count("ios", "candidate", 1, 2), "hits at most n"),
        (count("ios", "candidate", 1.5, 1), "must be counts"),
        (count("ios", "candidate", 1, 1), "has no rows of the incumbent"),
    ],
)
def test_wrong_lines_are_named(tmp_path, row, said):
    with pytest.raises(DataError, match=said):
        read_counts(write(tmp_path, row), SLICES)
    with pytest.raises(DataError, match="holds no counts"):
        read_counts(write(tmp_path, end="\n"), SLICES)
