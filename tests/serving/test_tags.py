"""All labels that apply: the sigmoid of each output for itself."""

import json

import numpy as np
import pytest

from edgekd.serving import ServingError
from edgekd.serving.heads import Head, import_head
from edgekd.serving.heads.tags import Tagger
from edgekd.serving.respond import round_numbers

LABELS = ("late", "angry", "refund")


def test_labels_from_a_half_on_the_likeliest_first():
    said = Tagger(LABELS).answer(np.array([0.0, -800.0, 3.0], np.float32))
    assert said.labels == ["refund", "late"]
    assert said.probabilities == pytest.approx({"late": 0.5, "angry": 0.0, "refund": 1 / (1 + np.exp(-3))})
    assert json.dumps(round_numbers(Tagger(LABELS).describe(said)))
    assert round_numbers(said.probabilities)["refund"] == 0.952574
    assert Tagger(LABELS).answer(np.array([-1, -1, -1], np.float32)).labels == []
    assert Tagger(LABELS).answer(np.array([0, np.nan, 0], np.float32)) is None
    assert Head("tags", LABELS).width == 3


def test_the_same_labels_are_the_same_answer():
    one, other = np.array([[1, -1], [1, 1]], np.float32), np.array([[5, -0.1], [1, -1]], np.float32)
    assert Tagger(("a", "b")).agree(one, other).tolist() == [True, False]


@pytest.mark.parametrize(
    ("labels", "calibration"), [((), {"routing": {}}), (LABELS, {"temperature": 2.0, "routing": {}})]
)
def test_what_it_does_not_take_is_refused(tmp_path, labels, calibration):
    (tmp_path / "calibration.json").write_text(json.dumps(calibration))
    head = import_head("tags")
    with pytest.raises(ServingError, match=r"labels: expected list|temperature: labels that each stand"):
        head.open_head(tmp_path / "calibration.json", labels)
    with pytest.raises(ServingError, match="take no temperature, bias or routing policy"):
        head.check_policy({"answer": {}}, {}, LABELS)
