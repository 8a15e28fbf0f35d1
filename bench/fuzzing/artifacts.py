"""Inputs of the readers of an artifact's files, each sealed anew, so that only the reader can object."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from edgekd.compile import open_artifact
from edgekd.serving import load
from edgekd.serving.manifest import seal
from edgekd.serving.respond import respond
from edgekd.store import digest_bytes
from fuzzing.reader import Input, Reader
from fuzzing.values import damage, mutate

LABELS = ["advice", "order", "return"]
CALIBRATION: dict[str, Any] = {"temperature": 1.5, "bias": {"order": 0.2}, "thresholds": {}, "routing": {}}
POLICY: dict[str, Any] = {
    "max_prob": 0.45,
    "margin": 0.1,
    "refuse_below": 0.2,
    "refuse_as": "advice",
    "critical": ["return"],
    "risk": 0.05,
    "critical_prob": 0.9,
    "slices": {"ios": 0.6},
    "incumbent": {"artifact": "3f" * 32, "slices": ["web"]},
    "rules": [{"phrase": "charge back", "label": "order"}],
}
TEXTS = ("where is my order", "wo ist mein Paket, bitte?", "", "漫画 [SEP] x", "a" * 300, "charge back now")
WORDS = (
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "where",
    "is",
    "my",
    "order",
    "##s",
    "charge",
    "back",
    "a",
    "##a",
    "?",
)


@cache
def make_files(head: str) -> dict[str, bytes]:
    """Return a whole artifact's files less the manifest; a few words, four numbers wide."""
    from onnx import TensorProto, checker, helper, numpy_helper
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    rng = np.random.default_rng(0)
    outputs = len(LABELS) if head == "classify" else 1
    weights = {"table": rng.normal(size=(len(WORDS), 4)), "head": rng.normal(size=(4, outputs))}
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["vectors"]),
        helper.make_node("ReduceMean", ["vectors"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["mean", "head"], ["outputs"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "sequence"])],
        [helper.make_tensor_value_info("outputs", TensorProto.FLOAT, ["batch", outputs])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    checker.check_model(model)
    tokenizer = Tokenizer(models.WordPiece({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(list(WORDS[:4]))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    calibration = CALIBRATION if head == "classify" else {"routing": {}}
    return {
        "model.onnx": model.SerializeToString(),
        "tokenizer.json": tokenizer.to_str().encode(),
        "calibration.json": json.dumps(calibration).encode(),
    }


def make_manifest(head: str) -> dict[str, Any]:
    """Return the manifest's fields, less files."""
    named = {"labels": LABELS} if head == "classify" else {}
    return {
        "format_version": 3,
        "task": "intent",
        "student": "tiny",
        "student_kind": "static",
        "head": head,
        **named,
        "max_tokens": 16,
        "runtime": "onnxruntime",
        "recipe": "fp32",
        "recipe_version": 1,
        "isas": [],
        "model": "model.onnx",
        "input": {"name": "ids", "dtype": "int64", "shape": ["batch", "sequence"]},
        "output": {"name": "outputs", "dtype": "float32", "shape": ["batch", 3]},
        "precision": {},
        "provenance": {"libraries": {"onnxruntime": "1"}},
    }


def list_files(files: dict[str, bytes]) -> dict[str, Any]:
    """Return what a manifest says of files."""
    return {name: {"bytes": len(data), "sha256": digest_bytes(data)} for name, data in files.items()}


def pack(files: dict[str, bytes], manifest: Any) -> dict[str, bytes]:
    """Return the files with their manifest, sealed where it can be."""
    try:
        return {**files, "manifest.json": seal(manifest)}
    except (ValueError, TypeError, KeyError):  # what is no object, and numbers that JSON has not
        return {**files, "manifest.json": json.dumps(manifest).encode()}


def make_whole(rng: Random, changed: dict[str, bytes], head: str = "classify", broken: str = "") -> Input:
    """Return an artifact with some files changed, and sealed anew."""
    files = {**make_files(head), **changed}
    return Input(pack(files, {**make_manifest(head), "files": list_files(files)}), {"head": head}, broken)


def choose_head(rng: Random) -> str:
    """Return a head's name, mostly that of labels."""
    return rng.choice(("classify", "classify", "rank", "score"))


BROKEN_MANIFESTS = (
    ("max_tokens", 10**9), ("max_tokens", True), ("labels", ["a", "b"]), ("labels", ["a", "a", "b"]),
    ("labels", []),
    ("head", "../classify"), ("runtime", "../onnxruntime"), ("model", "../model.onnx"),
    ("format_version", True),
    ("input", {"name": "other"}), ("output", {"name": "other"}), ("towers", 10**9), ("head", "score"),
)  # fmt: skip


def make_manifests(rng: Random) -> Input:
    """Draw a manifest."""
    head = choose_head(rng)
    files = make_files(head)
    manifest = {**make_manifest(head), "files": list_files(files)}
    act = rng.random()
    if act < 0.15:
        key, value = rng.choice(BROKEN_MANIFESTS)
        files = make_files("classify")
        manifest = {**make_manifest("classify"), "files": list_files(files), key: value}
        return Input(pack(files, manifest), {"head": "classify"}, f"{key} {value!s:.20}")
    if act < 0.25:
        manifest |= {
            rng.choice(("first", "towers", "separator", "labels")): rng.choice(
                ({"keep": 1}, 1, 128, "a", [], None)
            )
        }
    given = pack(files, mutate(rng, manifest))
    if rng.random() < 0.2:
        given["manifest.json"] = damage(rng, given["manifest.json"])
    return Input(given, {"head": head})


BROKEN_CALIBRATIONS = (
    ("temperature", True), ("temperature", 0), ("temperature", -1), ("temperature", "1"),
    ("bias", {"order": True}),
    ("bias", {"novel": 1.0}), ("bias", []), ("thresholds", None), ("routing", []), ("temperature", 10**400),
)  # fmt: skip


def make_calibration(rng: Random) -> Input:
    """Draw a `calibration.json`."""
    if rng.random() < 0.15:
        key, value = rng.choice(BROKEN_CALIBRATIONS)
        data = json.dumps({**CALIBRATION, key: value}).encode()
        return make_whole(rng, {"calibration.json": data}, broken=f"{key} {value!s:.20}")
    head = choose_head(rng)
    data = json.dumps(mutate(rng, json.loads(make_files(head)["calibration.json"]))).encode()
    return make_whole(rng, {"calibration.json": damage(rng, data) if rng.random() < 0.3 else data}, head)


BROKEN_POLICIES = (
    ("max_prob", True), ("max_prob", 2), ("critical", "return"), ("critical", ["novel"]),
    ("refuse_as", "novel"),
    ("rules", {}), ("rules", [{"phrase": " ", "label": "order"}]),
    ("rules", [{"phrase": "a", "label": "novel"}]),
    ("slices", {"ios": -1}), ("incumbent", {"artifact": 1, "slices": []}), ("nosuch", 1),
    ("rules", [{"phrase": 1, "label": "order"}]),
)  # fmt: skip


def make_policy(rng: Random) -> Input:
    """Draw a routing policy."""
    if rng.random() < 0.15:
        key, value = rng.choice(BROKEN_POLICIES)
        policy, why = {**POLICY, key: value}, f"{key} {value!s:.30}"
    else:
        policy, why = mutate(rng, POLICY), ""
    data = json.dumps({**CALIBRATION, "routing": policy}).encode()
    return make_whole(rng, {"calibration.json": data}, broken=why)


def make_tokenizer(rng: Random) -> Input:
    """Draw a `tokenizer.json`."""
    head = choose_head(rng)
    document = json.loads(make_files(head)["tokenizer.json"])
    vocabulary = document["model"]["vocab"]
    act, why = rng.random(), ""
    if act < 0.1:
        document["model"]["vocab"] = dict.fromkeys(vocabulary, 0)
        why = "ids that are all zero"
    elif act < 0.2:
        document["model"]["vocab"] = {word: number + 10**6 for word, number in vocabulary.items()}
        why = "ids of no row of the table"
    elif act < 0.3:
        value = rng.choice((-1, 2**31, 2**40, "1", None, 1.5, True, len(WORDS), 10**30))
        document["model"]["vocab"][rng.choice(WORDS)] = value
        why = "" if type(value) is int and 0 <= value < 100 else "an id that is no row"
    else:
        document = mutate(rng, document)
    data = json.dumps(document).encode()
    return make_whole(rng, {"tokenizer.json": damage(rng, data) if act > 0.8 else data}, head, why)


def read_artifact(given: Input, folder: Path) -> None:
    """Open an artifact and have it answer, as `edgekd predict` does."""
    opened = open_artifact(folder)
    _ = opened.head, opened.model_digest, opened.answers_digest
    model = load(folder, verify=False)
    for text in TEXTS:
        if given.values["head"] == "rank":
            asked = json.dumps({"query": text, "candidates": ["a", "order", text[:20]]})
            respond(model, model.parse(asked), ("ios",))
        else:
            json.dumps(respond(model, model.parse(text), ("ios",)), allow_nan=False)


READERS = (
    Reader("manifest.json, sealed anew", make_manifests, read_artifact),
    Reader("calibration.json", make_calibration, read_artifact),
    Reader("routing policy", make_policy, read_artifact),
    Reader("tokenizer.json", make_tokenizer, read_artifact),
)
