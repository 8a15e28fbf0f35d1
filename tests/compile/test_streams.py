"""OpenVINO in half precision, and in the throughput mode: several texts at once."""

import json

import build_sample
import numpy as np
import pytest
import sample_students as samples

from edgekd.config import Build, Target
from edgekd.errors import ConfigError
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.scenarios.offline import measure_throughput
from edgekd.measure.subject import Subject
from edgekd.serving import ServingError, load
from edgekd.serving.subject import open_subject
from edgekd.single.scenarios import ALL_AT_ONCE

pytestmark = pytest.mark.openvino
TEXTS = [*samples.ODD_TEXTS, *(f"where is my order {'very ' * (i % 7)}late {i}" for i in range(60))]


@pytest.fixture(scope="module")
def many(graphs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("many") / "artifact"
    return build_sample.compile_sample(graphs["static"], "openvino", "fp32", folder, streams=2)


@pytest.fixture(scope="module")
def one(graphs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("one") / "artifact"
    return build_sample.compile_sample(graphs["static"], "openvino", "fp32", folder)


@pytest.mark.long
def test_half_precision_is_half_the_size_and_computes_in_single(graphs, one, tmp_path):
    half = build_sample.compile_sample(graphs["static"], "openvino", "fp16", tmp_path / "half")
    sizes = [(made.path / "openvino_model.bin").stat().st_size for made in (half, one)]
    assert sizes[0] < 0.55 * sizes[1]
    assert "avx2" in half.manifest["isas"] and "torch" not in half.manifest["provenance"]["libraries"]
    outputs = [load(made.path).outputs(TEXTS) for made in (half, one)]
    assert 0 < np.abs(outputs[0] - outputs[1]).max() < 0.01


def test_several_streams_answer_as_one_does(many, one):
    assert many.manifest["streams"] == 2 and many.recipe == "fp32-2-streams"
    assert "streams" not in one.manifest
    model, plain = load(many.path, threads=2), load(one.path)
    assert (model.streams, plain.streams) == (2, 1)
    answers = model.answer_all(TEXTS)
    assert [a.label for a in answers] == [a.label for a in plain.answer_all(TEXTS)]  # in the texts' order
    assert [a.probability for a in answers] == pytest.approx([plain(text).probability for text in TEXTS])
    assert model(TEXTS[3]).probability == pytest.approx(plain(TEXTS[3]).probability)
    assert model.answer_all([]) == [] and len(model.answer_all(TEXTS[:1])) == 1
    assert load(one.path, streams=3).streams == 3 and load(many.path, streams=1).streams == 1


def test_routes_are_as_many_and_in_order(many, tmp_path):
    from edgekd.compile.policy import set_policy

    routed = set_policy(many, {"max_prob": 0.4, "margin": 0.05}, tmp_path / "routed")
    model = open_subject(str(routed.path), "2")
    assert model.answer_all(TEXTS) == [model(text) for text in TEXTS]
    with pytest.raises(ServingError, match="has no routing policy"):
        load(many.path).route_all(TEXTS)


def test_streams_are_of_an_engine_that_has_them(artifact, graphs, many, tmp_path):
    with pytest.raises(ServingError, match="onnxruntime works on one text at a time; streams must be 1"):
        load(artifact, streams=2)
    with pytest.raises(ServingError, match="streams must be >= 1, got 0"):
        load(many.path, streams=0)
    with pytest.raises(ConfigError, match="onnxruntime works on one text at a time: leave out streams"):
        build_sample.compile_sample(graphs["static"], "onnxruntime", "fp32", tmp_path / "none", streams=2)
    fields = {"name": "t", "hardware": {"arch": "x86_64", "memory_mib": 512}}
    build = Build(runtime="openvino", recipe="fp32", streams=2)
    with pytest.raises(ValueError, match="a build has 2 streams and the target 1 threads"):
        Target(**fields, builds=(build,))
    assert Target(**fields, builds=(build,), threads=2).builds[0].label == "fp32-2-streams"


@pytest.mark.long
def test_throughput_is_measured_in_its_own_mode(many, tmp_path, run_edgekd):
    subject = Subject("many", "edgekd.serving.subject:open_subject", (str(many.path), "2"))
    plan = MeasurePlan(rounds=3, seconds=0.05, warmup_seconds=0.05, threads=2)
    found = measure_throughput([subject], TEXTS, tmp_path / "offline", plan, ALL_AT_ONCE)
    assert found.throughput("many").estimate > 0
    done = run_edgekd(
        "bench", many.path, "--also", "offline", "--out", tmp_path / "bench", "--json", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    rates = json.loads(done.stdout)["offline"]
    assert {rate["mode"] for rate in rates} == {"throughput mode, 2 streams", "latency mode"}
    assert rates[-1]["ratio"] == pytest.approx(
        rates[0]["texts_per_second"] / rates[-1]["texts_per_second"], rel=0.1
    )
