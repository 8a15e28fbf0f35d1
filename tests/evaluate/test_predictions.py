from __future__ import annotations

import numpy as np
import pytest

from edgekd.errors import DataError
from edgekd.evaluate.predictions import Predictions, load_predictions, save_predictions

IDS = ["a", "b", "c"]
LOGITS = np.array([[2.0, 1.0], [0.0, 3.0], [1.0, 1.0]], dtype=np.float32)


def test_softmax_gives_the_worked_figures(golden):
    figures = golden["softmax_temperature"]
    for model in ("teacher", "student"):
        table = Predictions("x", np.array([figures[f"{model}_logits"]]))
        for temperature in (1, 4):
            found = table.probabilities(float(temperature))[0].round(4)
            assert found.tolist() == figures[f"{model}_T{temperature}"]


def test_labels_take_the_first_of_equals_and_great_logits_do_not_overflow():
    assert Predictions("x", LOGITS).labels.tolist() == [0, 1, 0]
    assert Predictions("x", LOGITS * 1e30).probabilities(0.05)[1].tolist() == [0, 1]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_logit_that_is_not_finite_is_refused_by_row(bad):
    logits = LOGITS.copy()
    logits[1, 0] = bad
    with pytest.raises(DataError, match=r"1 of 3 rows .* first row 1"):
        Predictions("x", logits)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (3,), (2, 2, 2)])
def test_what_is_no_table_is_refused(shape):
    with pytest.raises(DataError, match="shape"):
        Predictions("x", np.zeros(shape))


def test_round_trip(tmp_path):
    path = tmp_path / "evidence" / "static.npy"
    save_predictions(Predictions("d" * 64, LOGITS), IDS, path)
    read = load_predictions(path, IDS)
    assert read.subject == "d" * 64
    assert read.outputs.dtype == LOGITS.dtype
    assert np.array_equal(read.outputs, LOGITS)
    assert {file.name for file in path.parent.iterdir()} == {"static.npy", "static.npy.json"}


@pytest.mark.parametrize("ids", [["a", "c", "b"], ["a", "b"], ["a", "b", "d"]])
def test_predictions_of_other_rows_are_refused(tmp_path, ids):
    save_predictions(Predictions("x", LOGITS), IDS, tmp_path / "p.npy")
    with pytest.raises(DataError, match="other rows"):
        load_predictions(tmp_path / "p.npy", ids)


def test_damaged_missing_and_pickled_files_are_refused(tmp_path):
    path = tmp_path / "p.npy"
    with pytest.raises(DataError, match="evaluate again"):
        load_predictions(path, IDS)
    save_predictions(Predictions("x", LOGITS), IDS, path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="is not the file"):
        load_predictions(path, IDS)
    with pytest.raises(DataError, match="3 predictions for 2 rows"):
        save_predictions(Predictions("x", LOGITS), IDS[:2], path)


def test_rows_may_end_in_places_that_they_do_not_have(tmp_path):
    table = np.array([[1.0, 2.0, np.nan], [1.0, np.nan, np.nan], [3.0, 2.0, 1.0]], np.float32)
    save_predictions(Predictions("x", table), IDS, tmp_path / "p.npy")
    assert np.array_equal(load_predictions(tmp_path / "p.npy", IDS).outputs, table, equal_nan=True)
    for whole in (lambda: Predictions("x", table).labels, lambda: Predictions("x", table).probabilities()):
        with pytest.raises(DataError, match=r"2 of 3 rows .* first row 0"):  # one answer of all outputs
            whole()


@pytest.mark.parametrize("row", [[np.nan] * 3, [1, np.nan, 2], [1, np.inf, np.nan], [1, 2, -np.inf]])
def test_a_gap_before_the_end_of_a_row_is_refused(row):
    with pytest.raises(DataError, match=r"1 of 2 rows .* first row 1"):
        Predictions("x", np.array([[1, 2, 3], row], np.float32))
