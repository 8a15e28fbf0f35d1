"""The model card: figures from the gate's documents alone, and a head that the hub reads."""

import json
import shutil

import build_sample
import numpy as np
import pytest
import sample_students
import yaml

from edgekd.bundle.card import Origin, read_licence, write_card
from edgekd.compile.policy import set_policy
from edgekd.config import Build, Slice, load_target
from edgekd.errors import BadInputError
from edgekd.evaluate.agreement import Ported, compare_answers
from edgekd.evaluate.classify.routing import judge_routing, route_rows
from edgekd.evaluate.judge import evaluate
from edgekd.evaluate.predictions import Predictions
from edgekd.evaluate.scorer import JudgedRows
from edgekd.gate.evidence import VariantEvidence
from edgekd.gate.verdict import judge_target
from edgekd.serving import load
from edgekd.single.foreign import compile_foreign
from edgekd.stats.interval import Interval

ORIGIN = Origin("shop", "minilm-l6", "package:weights/model", "messages.csv", "Apache-2.0", "CC-BY-4.0")
SECTIONS = [
    "What it is and what it is for",
    "How it was made",
    "Evidence",
    "Quality per slice",
    "Routing",
    "Calibration",
    "Limits and known weaknesses",
    "Licences",
    "How to roll back",
    "Digests",
]


def front_of(card: str) -> dict:
    first, head, _ = card.split("---\n", 2)
    assert first == ""
    return yaml.safe_load(head)


def section(card: str, title: str) -> str:
    return card.partition(f"## {title}\n")[2].partition("\n## ")[0]


def table_of(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "---" not in line]


@pytest.fixture(scope="session")
def judged(compiled, target_for):
    """An int8 student that a real gate judged on its real answers, against the fp32 one as teacher."""
    texts = sample_students.make_texts(500)
    artifact = compiled("tiny", "onnxruntime", "int8-dynamic")
    teacher = compiled("tiny", "onnxruntime", "fp32")
    answers = {one.digest: load(one.path).outputs(texts) for one in (artifact, teacher)}
    logits = answers[artifact.digest]
    truth = (
        answers[teacher.digest].argmax(1) + (np.arange(len(texts)) % 7 == 0)
    ) % 20  # both err on a seventh
    slices = [
        Slice(name="overall", tier="prove", margin=30),
        Slice(name="few", margin=4),
        Slice(name="nobody", margin=4),
    ]
    masks = {
        "overall": np.ones(len(texts), bool),
        "few": np.arange(len(texts)) < 20,
        "nobody": np.zeros(len(texts), bool),
    }
    found = evaluate(
        Predictions(artifact.digest, logits),
        {"teacher": Predictions(teacher.digest, answers[teacher.digest])},
        JudgedRows(truth, artifact.manifest["labels"], slices, masks),
    )
    same = compare_answers(logits, logits, [str(n) for n in range(len(texts))], artifact.head)
    evidence = VariantEvidence(
        variant="tiny.onnxruntime.int8-dynamic",
        student="tiny",
        runtime="onnxruntime",
        recipe="int8-dynamic",
        artifact_digest=artifact.digest,
        artifact_bytes=artifact.size_bytes,
        p50_ms=Interval(0.5, 0.45, 0.55, 0.95),
        p95_ms=Interval(1.25, 1.0, 1.5, 0.95),
        cold_start_ms=None,
        peak_rss_bytes=80 * 2**20,
        basis="proxy",
        basis_reason="measured on one CPU, the target is another",
        evaluation=found,
        built=True,
        ported=(
            Ported("asimd", "emulated", same),
            Ported("avx2", "not measured", None, "no emulator in /somewhere/private; run: this"),
        ),
    )
    limits = {"p95_ms": 20, "bundle_unzipped_mib": 250}
    target = target_for(artifact, limits=limits, description="A shop's server")
    verdict = judge_target(target, [evidence])
    assert verdict.promoted == evidence.variant
    return artifact, target, verdict.to_json(), evidence.to_json()


@pytest.fixture(scope="session")
def routed(compiled, target_for, tmp_path_factory):
    """A student that fails `few` by itself, which is carved out: judged with the teacher, as it is served."""
    texts = sample_students.make_texts(500)
    teacher = compiled("tiny", "onnxruntime", "fp32")
    plain = compiled("tiny", "onnxruntime", "int8-dynamic")
    labels = plain.manifest["labels"]
    policy = {
        "max_prob": 0.01,
        "critical": [labels[2]],
        "risk": 0.5,
        "slices": {"few": 1.0},
        "rules": [{"phrase": "charge back", "label": labels[3]}],
    }
    artifact = set_policy(plain, policy, tmp_path_factory.mktemp("routed") / "artifact")
    truth = load(teacher.path).outputs(texts).argmax(1)
    taught = Predictions(teacher.digest, load(teacher.path).outputs(texts))
    masks = {"overall": np.ones(len(texts), bool), "few": np.arange(len(texts)) < 60}
    logits = load(artifact.path).outputs(texts)
    logits[masks["few"]] = np.roll(logits[masks["few"]], 1, axis=1)  # always wrong there
    answers = Predictions(artifact.digest, logits)
    slices = [
        Slice(name="overall", tier="prove", margin=30),
        Slice(name="few", tier="prove", margin=6, at_least=80),
    ]
    temperature = load(artifact.path).calibration.temperature
    sent = route_rows(policy, labels, texts, answers.probabilities(temperature), taught.labels, masks)
    judged = JudgedRows(truth, labels, slices, masks)
    evidence = VariantEvidence(
        variant="tiny.onnxruntime.int8-dynamic",
        student="tiny",
        runtime="onnxruntime",
        recipe="int8-dynamic",
        artifact_digest=artifact.digest,
        artifact_bytes=artifact.size_bytes,
        p50_ms=Interval(0.5, 0.45, 0.55, 0.95),
        p95_ms=Interval(1.25, 1.0, 1.5, 0.95),
        cold_start_ms=None,
        peak_rss_bytes=80 * 2**20,
        basis="native",
        basis_reason="",
        evaluation=evaluate(answers, {"teacher": taught}, judged),
        built=True,
        routing=judge_routing(artifact.digest, policy, sent, taught.labels, judged),
        carved=("few",),
    )
    target = target_for(artifact)
    verdict = judge_target(target, [evidence])
    assert verdict.promoted == evidence.variant, verdict
    return artifact, target, verdict.to_json(), evidence.to_json()


def test_a_routed_card_shows_what_was_judged_and_the_student_apart(routed):
    card = write_card(*routed, ORIGIN)
    judged, alone = section(card, "Quality per slice").split("What the student says of every message")
    rows = {row[0]: row[1:] for row in table_of(judged)}
    assert rows["slice"][3] == "this model with the teacher"
    # The teacher answers `few`, so nothing is lost there; no failing drop stands beside a pass.
    assert rows["few"][2:4] == ["100.0 %", "100.0 %"] and rows["few"][4].startswith("+0.00 [")
    assert rows["few"][-2:] == ["pass", "at least 80 %: pass"]
    apart = {row[0]: row[1:] for row in table_of(alone)}
    drop = routed[3]["evaluation"]["slices"][1]["drops"][0]["estimate"]
    assert drop > 0.5 and apart["few"][3].startswith(f"{100 * drop:+.2f} [")
    assert "neither what the gate judged nor what answers by default" in card and "pass" not in alone
    values = {one["name"]: one["value"] for one in front_of(card)["model-index"][0]["results"][0]["metrics"]}
    assert values["accuracy (few, with the teacher)"] == 1
    assert "Weakest slice: few" not in section(card, "Limits and known weaknesses")


def test_a_routed_card_tells_its_policy(routed):
    labels = routed[0].manifest["labels"]
    for documents in (routed, (*routed[:2], None)):
        told = section(write_card(*documents), "Routing")
        assert "Always to the teacher: messages in few." in told
        assert f"`charge back`: `{labels[3]}`" in told
        assert f"never refused: `{labels[2]}`" in told and "more than 0.5 and" in told
        assert "likeliest label has less than 0.01" in told
        assert "--student-only" in told
    sent = routed[3]["routing"]["slices"][0]["fallback"]["estimate"]
    assert f"Of the test rows {100 * sent:.1f} % [" in section(write_card(*routed), "Routing")


def test_a_model_that_routes_nothing_says_so(judged):
    assert section(write_card(*judged), "Routing").strip() == (
        "It has no policy: it answers every message by itself."
    )


def test_a_model_from_elsewhere_is_not_said_to_be_distilled_or_calibrated(graphs, tmp_path, target_for):
    texts = sample_students.make_texts(40)
    source = tmp_path / "their-classifier.onnx"
    graph = graphs["static"]
    shutil.copyfile(graph.path, source)
    shutil.copyfile(graph.tokenizer, tmp_path / "tokenizer.json")
    config = {"id2label": {str(n): label for n, label in enumerate(graph.head.labels)}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    target = load_target("lambda-x86").model_copy(
        update={"builds": (Build(runtime="onnxruntime", recipe="int8-dynamic"),)}
    )
    ((_, _, artifact),) = compile_foreign(
        source, [target], texts, tmp_path / "out", lambda share, words: None
    )
    card = write_card(artifact, target, None)
    making = section(card, "How it was made")
    assert "Trained elsewhere: `their-classifier.onnx`" in making and "No teacher is known here" in making
    for untrue in ("distilled from", "calibration rows", "calibrated probability", "Teacher:"):
        assert untrue not in card, untrue
    assert "no temperature was fitted" in section(card, "Calibration")
    assert "edgekd rollback" not in card and str(tmp_path) not in card
    known = write_card(*_plain(graphs, tmp_path, target_for))
    assert "distilled from the teacher's answers" in known and "fitted on the compiled model's" in known


def _plain(graphs, tmp_path, target_for):
    artifact = build_sample.compile_sample(
        graphs["static"], "onnxruntime", "fp32", tmp_path / "known", fit_temperature=lambda _: 1.0
    )
    return artifact, target_for(artifact), None


def test_the_card_of_a_score_speaks_of_no_label(compiled, target_for):
    artifact = compiled("scoring-static", "onnxruntime", "int8-dynamic")
    card = write_card(artifact, target_for(artifact), None)
    use = section(card, "What it is and what it is for")
    assert "that gives a text a score from 0 to 1\n(task `intent`). It is compiled" in use
    assert "label" not in card and "softmax" not in card
    assert "nothing was fitted" in section(card, "Calibration")


@pytest.mark.long
def test_the_card_of_a_ranking_says_what_it_reads(compiled, target_for):
    artifact = compiled("ranking", "onnxruntime", "fp32")
    card = write_card(artifact, target_for(artifact), None)
    assert "- Input: a query and its candidates; of the query with each of them 32 tokens are read." in card
    assert "A text without any token" not in card


def test_every_section_once_in_order(judged):
    card = write_card(*judged, ORIGIN)
    assert [line[3:] for line in card.splitlines() if line.startswith("## ")] == SECTIONS
    assert "None" not in card and "{" not in section(card, "Evidence")


def test_head_is_read_by_the_hubs_own_library(judged):
    hub = pytest.importorskip("huggingface_hub")
    card = write_card(*judged, ORIGIN)
    found = hub.ModelCard(card).data
    assert (found.license, found.pipeline_tag) == ("apache-2.0", "text-classification")
    assert {"edgekd", "onnx", "int8-dynamic", "here"} <= set(found.tags)
    overall = json.loads(json.dumps(judged[3]))["evaluation"]["slices"][0]["value"]["estimate"]
    shown = [(one.metric_name, one.metric_value) for one in found.eval_results]
    assert shown[0] == ("accuracy (overall)", round(overall, 6))
    assert [name for name, _ in shown] == ["accuracy (overall)", "accuracy (few)"]  # nobody has no value


def test_figures_are_those_of_the_documents(judged):
    artifact, _, verdict, evidence = judged
    card = write_card(*judged, ORIGIN)
    told = section(card, "Evidence")
    assert "**promoted (proxy latency)**" in told and "measured on one CPU, the target is another" in told
    rows = {row[0]: row[1:] for row in table_of(told)}
    assert rows["p95"] == ["1.25 ms [1.00 ms to 1.50 ms]", "20.0 ms", "pass"]
    assert rows["p50"][0] == "0.500 ms [0.450 ms to 0.550 ms]"
    assert rows["peak memory of the process"][0] == "80.0 MiB"
    assert "cold start" not in rows

    (overall, *_), checks = evidence["evaluation"]["slices"], verdict["variants"][0]["checks"]
    rows = {row[0]: row[1:] for row in table_of(section(card, "Quality per slice"))}
    drop = overall["drops"][0]
    assert rows["overall"][0] == str(overall["n"])
    assert rows["overall"][2] == "85.5 %"  # its errors are every seventh row
    assert rows["overall"][3] == f"{100 * overall['value']['estimate']:.1f} %"
    assert (
        rows["overall"][4]
        == f"{100 * drop['estimate']:+.2f} [{100 * drop['low']:+.2f} to {100 * drop['high']:+.2f}]"
    )
    assert rows["overall"][5:] == ["30.00", "prove", checks[0]["status"]]
    assert rows["nobody"][2:5] == ["–", "–", "–"]
    temperature = json.loads((artifact.path / "calibration.json").read_text())["temperature"]
    calibration = evidence["evaluation"]["calibration"]
    assert f"divided by {temperature:g}" in section(card, "Calibration")
    assert f"calibration error {calibration['ece']:.3f}" in section(card, "Calibration")


def test_limits_name_what_is_weak_and_what_nobody_measured(judged):
    told = section(write_card(*judged, ORIGIN), "Limits and known weaknesses")
    assert "Weakest slice: few, accuracy 85.0 % over 20 rows." in told
    assert (
        "Watched, not proven: no harm is shown, and none beyond the margin is ruled out, on few (up to"
        in told
    )
    assert "No test row is in: nobody." in told
    assert "Answers on asimd: 512 of 512 the same (emulated)" in told
    assert "Answers on avx2: not checked." in told
    assert "Not checked by the gate: bundle_unzipped_mib." in told
    assert "Not measured: cold start." in told
    assert "first 24 tokens" in told


def test_no_place_on_the_measuring_machine_is_told(judged):
    artifact = judged[0]
    card = write_card(*judged, ORIGIN)
    assert "/somewhere/private" in judged[2]["reason"] and "/somewhere/private" not in card
    assert str(artifact.path.parent) not in card


def test_digests_are_the_ledgers(judged):
    from edgekd.gate.verdict import GateVerdict

    artifact, _, verdict, _ = judged
    rows = {row[0]: row[1].strip("`") for row in table_of(section(write_card(*judged, ORIGIN), "Digests"))}
    assert rows["artifact (of `manifest.json`)"] == artifact.digest
    assert rows["verdict"] == GateVerdict.from_json(verdict).digest
    assert rows["graph"] == artifact.manifest["provenance"]["graph"]


def test_licences_are_stated_or_said_to_be_missing(judged):
    stated = write_card(*judged, ORIGIN)
    assert ["data that taught", "CC-BY-4.0"] in table_of(section(stated, "Licences"))
    assert "not stated" not in section(stated, "Licences").lower()
    unknown = write_card(*judged, Origin(weights_licence="Some House Terms"))
    assert ["data that taught", "not stated"] in table_of(section(unknown, "Licences"))
    assert front_of(unknown)["license"] == "other" and front_of(unknown)["license_name"] == "Some House Terms"
    assert front_of(write_card(*judged))["license"] == "unknown"


def test_weights_tell_their_own_licence(tmp_path):
    assert read_licence(sample_students.MINILM) == "apache-2.0"
    assert read_licence(tmp_path) == ""
    for text in (
        "no head\n",
        "---\nlicense: [a, b]\n---\n",
        "---\n: : :\n---\n",
        "words\n---\nlicense: mit\n---\n",
    ):
        (tmp_path / "README.md").write_text(text)
        assert read_licence(tmp_path) == ""


def test_without_a_verdict_nothing_was_measured(compiled, target_for):
    artifact = compiled("tiny", "onnxruntime", "fp32")
    card = write_card(artifact, target_for(artifact), None)
    assert [line[3:] for line in card.splitlines() if line.startswith("## ")] == SECTIONS
    assert "Nothing was measured" in section(card, "Evidence")
    assert "edgekd run PROJECT --target here" in section(card, "Evidence")
    assert "metrics" not in front_of(card) and "model-index" not in front_of(card)
    assert "edgekd rollback PROJECT here" in section(card, "How to roll back")


def test_without_evidence_the_checks_are_told(judged):
    artifact, target, verdict, _ = judged
    card = write_card(artifact, target, verdict)
    rows = {row[0]: row[1:] for row in table_of(section(card, "Evidence"))}
    assert rows["p95"] == ["1.25 ms (1.00 ms to 1.50 ms)", "20.0 ms", "pass"]
    assert "overall" in {row[0] for row in table_of(section(card, "Quality per slice"))}
    assert "was not kept with the verdict" in section(card, "Limits and known weaknesses")


def test_emulated_times_are_not_told(judged):
    artifact, target, verdict, evidence = judged
    emulated = {**evidence, "basis": "emulated"}
    told = section(write_card(artifact, target, verdict, emulated), "Evidence")
    assert "p50" not in {row[0] for row in table_of(told)} and "answers only" in told


def test_documents_of_another_artifact_are_refused(judged, compiled, target_for):
    artifact, target, verdict, evidence = judged
    other = compiled("tiny", "onnxruntime", "fp32")
    with pytest.raises(BadInputError, match="the verdict is not of artifact"):
        write_card(other, target, verdict)
    with pytest.raises(BadInputError, match="the evidence is of artifact"):
        write_card(artifact, target, verdict, {**evidence, "artifact_digest": other.digest})
    with pytest.raises(BadInputError, match="the verdict is of target here, not of there"):
        write_card(artifact, target_for(artifact, name="there"), verdict)
