"""What no reader may take, one by one."""

import json
import sys
from pathlib import Path
from random import Random

import pytest

from edgekd.errors import DataError
from edgekd.serving import ServingError

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

from fuzzing.artifacts import (
    BROKEN_CALIBRATIONS,
    BROKEN_MANIFESTS,
    BROKEN_POLICIES,
    CALIBRATION,
    POLICY,
    TEXTS,
    WORDS,
    list_files,
    make_files,
    make_manifest,
    make_whole,
    pack,
    read_artifact,
)
from fuzzing.reader import Input, Reader, ask
from fuzzing.registry import BROKEN_COUNTS, BROKEN_SHADOWS, read_counts, read_shadow
from fuzzing.rows import to_lines

ARTIFACT = Reader("artifact", lambda rng: Input(), read_artifact)
RNG = Random(0)


def refuse(given: Input, folder: Path, reader: Reader = ARTIFACT) -> str:
    outcome = ask(reader, given, folder)
    assert outcome.kind == "refused", outcome
    return outcome.words


def with_calibration(document: object) -> Input:
    return make_whole(RNG, {"calibration.json": json.dumps(document).encode()})


@pytest.mark.parametrize("head", ["classify", "rank", "score"])
def test_the_unbroken_artifact_answers(tmp_path, head):
    assert ask(ARTIFACT, make_whole(RNG, {}, head), tmp_path).kind == "result"


def test_the_unbroken_policy_answers(tmp_path):
    assert ask(ARTIFACT, with_calibration({**CALIBRATION, "routing": POLICY}), tmp_path).kind == "result"


@pytest.mark.parametrize(("key", "value"), BROKEN_MANIFESTS)
def test_manifests(tmp_path, key, value):
    files = make_files("classify")
    manifest = {**make_manifest("classify"), "files": list_files(files), key: value}
    refuse(Input(pack(files, manifest), {"head": "classify"}), tmp_path)


@pytest.mark.parametrize(("key", "value"), BROKEN_CALIBRATIONS)
def test_calibrations(tmp_path, key, value):
    assert "calibration" in refuse(with_calibration({**CALIBRATION, key: value}), tmp_path)


@pytest.mark.parametrize(("key", "value"), BROKEN_POLICIES)
def test_policies(tmp_path, key, value):
    assert "routing: " in refuse(
        with_calibration({**CALIBRATION, "routing": {**POLICY, key: value}}), tmp_path
    )


@pytest.mark.parametrize("head", ["classify", "rank"])
@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ([0] * len(WORDS), "14 tokens have 1 ids between them"),
        ([n + 10**6 for n in range(len(WORDS))], "the model cannot read ids of this tokenizer"),
        ([*range(len(WORDS) - 1), -1], "below 0"),
        ([*range(len(WORDS) - 1), 2**40], "beyond 32 bits"),
        ([*range(len(WORDS) - 1), True], "no whole number"),
        ([*range(len(WORDS) - 1), "13"], "no whole number"),
    ],
)
def test_ids_of_tokens(tmp_path, numbers, words, head):
    document = json.loads(make_files(head)["tokenizer.json"])
    document["model"]["vocab"] = dict(zip(WORDS, numbers, strict=True))
    given = make_whole(RNG, {"tokenizer.json": json.dumps(document).encode()}, head)
    assert words in refuse(given, tmp_path)
    assert len(TEXTS) > 4


COUNTS = Reader("counts", lambda rng: Input(), read_counts)
SHADOW = Reader("shadow", lambda rng: Input(), read_shadow)
LINE = {"slice": "overall", "arm": "candidate", "artifact": "1a2b3c4d5e6f", "n": 500, "hits": 471}
LOGGED = {"student": "a", "incumbent": "b", "teacher": "c", "label": "a", "verdict": "win", "text": "x"}


@pytest.mark.parametrize("change", BROKEN_COUNTS, ids=str)
def test_live_counts(tmp_path, change):
    lines = to_lines([LINE, {**LINE, **change}])
    assert "live.jsonl: line 2" in refuse(Input({"live.jsonl": lines}), tmp_path, COUNTS)


@pytest.mark.parametrize("change", BROKEN_SHADOWS, ids=str)
def test_shadow_rows(tmp_path, change):
    lines = to_lines([LOGGED, {**LOGGED, **change}])
    assert "rows.jsonl: line 2" in refuse(Input({"rows.jsonl": lines}), tmp_path, SHADOW)


def test_shadow_rows_of_several_types_are_read(tmp_path):
    lines = to_lines([{**LOGGED, "more": value} for value in (1, "a", 2**70, None, [1])])
    assert ask(SHADOW, Input({"rows.jsonl": lines}), tmp_path).kind == "result"


def test_a_name_of_megabytes_ends_in_a_line_that_can_be_read():
    long = "x" * 100_000
    for error in (DataError(f"rows.csv: has no column 'text'; found {long}; name it"), ServingError(long)):
        assert len(str(error)) < 1300
    assert str(DataError(f"start {long} end")).startswith("start ")
    assert str(DataError(f"start {long} end")).endswith(" end")
