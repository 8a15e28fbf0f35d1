"""Noisy twins of a finished run: answered, paired with their clean rows, and held against a margin."""

import json

import numpy as np
import pytest

from edgekd.data.rank_reader import RANKS
from edgekd.data.taskdata import TaskData
from edgekd.evaluate.predictions import Predictions
from edgekd.evaluate.rank.scorer import RANK_SCORER
from edgekd.pipeline.twinning import value_rows

TWINS = "twins=[{kind: typos, margin: 50}, {kind: negation}, {kind: several, margin: 0.1}]"


def test_twins_of_a_run_are_answered_by_every_variant(finished_run, run_edgekd, tmp_path):
    folder = finished_run.copy(tmp_path / "copy")
    done = run_edgekd("evaluate", "project.yaml", "--twins", "--set", TWINS, "--json", cwd=folder)
    assert done.returncode in (0, 1), done.stderr
    assert "twins: done" in done.stderr and "teacher: done" not in done.stderr
    found = json.loads(done.stdout)["twins"]
    assert {entry["slice"] for entry in found} == {"twins:typos", "twins:negation", "twins:several"}
    assert {entry["target"] for entry in found} == {"cloud", "desk", "twin"}
    for entry in found:
        assert entry["n"] + entry["left_out"] == 240
        assert entry["drop"]["estimate"] == pytest.approx(entry["clean"] - entry["noisy"], abs=1e-9)
        assert entry["drop"]["low"] <= entry["drop"]["estimate"] <= entry["drop"]["high"]
        assert entry["fails"] == (entry["margin"] is not None and entry["drop"]["low"] > entry["margin"])
    assert done.returncode == int(any(entry["fails"] for entry in found))
    again = run_edgekd("evaluate", "project.yaml", "--twins", "--set", TWINS, "--json", cwd=folder)
    assert again.stdout == done.stdout and ": done" not in again.stderr
    none = run_edgekd("evaluate", "project.yaml", "--twins", cwd=folder)
    assert none.returncode == 2 and "has no key 'twins'" in none.stderr


def test_rows_that_a_metric_does_not_judge_stay_out():
    import pyarrow as pa

    rows = [
        {"id": str(i), "text": "a b", "label": grades, "split": "test", "candidates": ["x", "y"]}
        for i, grades in enumerate([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
    ]
    table = pa.Table.from_pylist(rows).cast(
        pa.schema(
            [("id", pa.string()), ("text", pa.string()), ("label", RANKS.kind), ("split", pa.string()),
             ("candidates", pa.list_(pa.string()))]
        )
    )  # fmt: skip
    outputs = np.array([[1.0, 0.0]] * 3, np.float32)
    known, values = value_rows(RANK_SCORER, TaskData(table, ("score",), RANKS), Predictions("x", outputs))
    assert known.tolist() == [True, False, True] and values[0] > values[2] and len(values) == 3
