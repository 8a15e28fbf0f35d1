"""The decision bias: it moves the choice, leaves probabilities alone, and every way to answer adds it."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import sample_students as samples
from biased import add_bias, changed_texts
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekd.compile import open_artifact
from edgekd.compile.policy import set_policy
from edgekd.errors import ArtifactError
from edgekd.evaluate.predictions import Predictions
from edgekd.serving import ServingError, load
from edgekd.serving.calibrate import choose, read_calibration, spread, spread_bias
from edgekd.serving.route import Policy

LABELS = ("order", "return", "abuse", "oos")
TEXTS = samples.make_texts(200)


@pytest.fixture(scope="module")
def biased(artifact, tmp_path_factory):
    return add_bias(open_artifact(artifact), tmp_path_factory.mktemp("biased") / "artifact", TEXTS)


def test_the_bias_is_added_after_the_temperature():
    logits = np.array([4.0, 0.0, 2.0, 0.0], np.float32)
    wanted = np.exp(logits / 2) / np.exp(logits / 2).sum()
    assert choose(logits, 0.5) == (0, pytest.approx(wanted[0]))
    # 4 / 2 against 2 / 2 + bias: it turns at 1, not at 2; of equals the first is answered
    assert choose(logits, 0.5, np.array([0, 0, 0.99, 0])) == (0, pytest.approx(wanted[0]))
    assert choose(logits, 0.5, np.array([0, 0, 1.0, 0])) == (0, pytest.approx(wanted[0]))
    assert choose(logits, 0.5, np.array([0, 0, 1.01, 0])) == (2, pytest.approx(wanted[2]))


@given(
    st.lists(st.floats(-30, 30, width=32), min_size=4, max_size=4),
    st.floats(0.2, 5),
    st.lists(st.floats(0, 6), min_size=4, max_size=4),
)
@settings(max_examples=200, deadline=None)
def test_what_is_chosen_is_what_was_judged(logits, temperature, numbers):
    """The judge adds bias x temperature to logits (Predictions); the policy weighs probabilities."""
    row, bias = np.array(logits, np.float32), np.array(numbers)
    scores = np.sort(row.astype(np.float64) / temperature + bias)
    index, probability = choose(row, 1 / temperature, bias)
    assert probability == pytest.approx(spread(row, 1 / temperature)[index], rel=1e-5, abs=1e-12)
    if scores[-1] - scores[-2] > 1e-9:
        judged = Predictions("a" * 64, row[None], bias * temperature)
        assert index == judged.labels[0]
        route = Policy({}, LABELS, bias).decide("hello", spread(row, 1 / temperature))
        assert (route.label, route.action) == (LABELS[index], "answer")
        assert route.probability == pytest.approx(probability, rel=1e-5, abs=1e-12)


def test_a_bias_is_spread_over_the_labels():
    assert spread_bias({}, LABELS) is None
    assert spread_bias({"abuse": 1.5, "return": -0.5}, LABELS).tolist() == [0, -0.5, 1.5, 0]
    with pytest.raises(ServingError, match="bias: 'gone' is no label of this model"):
        spread_bias({"abuse": 1.5, "gone": 1}, LABELS)


@pytest.mark.parametrize(
    ("bias", "said"),
    [
        ('{"abuse": NaN}', "bias of abuse: expected a finite number, got nan"),
        ('{"abuse": Infinity}', "bias of abuse: expected a finite number, got inf"),
        ('{"abuse": "much"}', "could not convert"),
        ('{"abuse": null}', "expected temperature"),
        ('["abuse"]', "expected temperature"),
        ("3", "expected temperature"),
    ],
)
def test_what_is_no_bias_is_one_line(tmp_path, bias, said):
    path = tmp_path / "calibration.json"
    path.write_text(f'{{"temperature": 1, "thresholds": {{}}, "routing": {{}}, "bias": {bias}}}')
    with pytest.raises(ServingError, match=said) as caught:
        read_calibration(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_a_calibration_of_before_there_was_a_bias_has_none(tmp_path):
    path = tmp_path / "calibration.json"
    path.write_text('{"temperature": 1.5, "thresholds": {}, "routing": {}}')
    assert read_calibration(path).bias == {}


def test_the_loader_answers_with_the_bias_and_says_the_models_own_probability(artifact, biased):
    plain, model = load(artifact), load(biased.path)
    changed = changed_texts(model, TEXTS)
    assert 10 < len(changed) < len(TEXTS)
    logits = model.outputs(TEXTS)
    np.testing.assert_array_equal(logits, plain.outputs(TEXTS))
    temperature = model.calibration.temperature
    judged = Predictions(
        biased.digest, logits, spread_bias(model.calibration.bias, model.labels) * temperature
    )
    answers = [model(text) for text in TEXTS]
    assert [answer.label_index for answer in answers] == judged.labels.tolist()
    table = judged.probabilities(temperature)
    own = table[np.arange(len(TEXTS)), judged.labels]
    np.testing.assert_allclose([answer.probability for answer in answers], own, rtol=1e-5)
    for text in changed:
        assert model(text).probability < plain(text).probability


def test_a_route_starts_from_what_the_bias_chooses(biased, tmp_path):
    model = load(biased.path)
    text = changed_texts(model, TEXTS)[0]
    answer = model(text)
    for policy, action in (
        ({"max_prob": answer.probability - 0.001}, "answer"),
        ({"max_prob": answer.probability + 0.001}, "teacher"),
        ({"critical": [answer.label], "max_prob": answer.probability - 0.001}, "answer"),
        ({"refuse_below": answer.probability + 0.001}, "refuse"),
    ):
        folder = tmp_path / action / str(len(policy))
        folder.parent.mkdir(exist_ok=True)
        route = load(set_policy(biased, policy, folder).path).route(text)
        assert (route.action, route.probability) == (action, pytest.approx(answer.probability, rel=1e-5))
        assert route.label == ("" if action == "refuse" else answer.label)


def test_the_margin_is_to_the_likeliest_other_label():
    """The label that the bias chooses may be less likely than the next: that is within any margin."""
    bias = np.array([0, 0, 2.0, 0])
    unsure, sure = np.array([0.5, 0.1, 0.3, 0.1]), np.array([0.1, 0.05, 0.8, 0.05])
    policy = Policy({"margin": 0.05}, LABELS, bias)
    assert policy.decide("hello", unsure)[:3] == ("teacher", "abuse", 0.3)
    assert policy.decide("hello", sure)[:3] == ("answer", "abuse", 0.8)


def test_a_bias_of_no_label_or_no_number_is_refused_before_anything_is_written(artifact, tmp_path):
    with pytest.raises(ArtifactError, match="bias: 'gone' is no label"):
        set_policy(open_artifact(artifact), {}, tmp_path / "a", {"gone": 1.0})
    assert not (tmp_path / "a").exists()
    copy = shutil.copytree(artifact, tmp_path / "b", ignore=shutil.ignore_patterns("__pycache__"))
    for bias, said in (({"gone": 1.0}, "'gone' is no label"), ({samples.LABELS[0]: float("inf")}, "finite")):
        value = {"temperature": 1.5, "thresholds": {}, "routing": {}, "bias": bias}
        (copy / "calibration.json").write_text(json.dumps(value))
        with pytest.raises(ServingError, match=said) as caught:
            load(copy, verify=False)
        assert "\n" not in str(caught.value)


def test_the_artifact_by_itself_answers_with_its_bias(biased):
    model = load(biased.path)
    texts = changed_texts(model, TEXTS)[:5]
    command = [sys.executable, "-B", "-m", "serving", *texts]
    done = subprocess.run(command, cwd=biased.path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["label"] for line in done.stdout.splitlines()] == [
        model(text).label for text in texts
    ]


def test_a_model_from_elsewhere_has_no_bias(artifact):
    """What `compile_graph` writes, which `edgekd compile MODEL` leaves as it is."""
    assert json.loads((artifact / "calibration.json").read_text())["bias"] == {}
