"""A teacher that a study trained, a fresh 2-layer student of it, and rows with the teacher's logits."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass

import numpy as np
import torch
from studied import HERE

from edgekd.config.reading import load_project
from edgekd.data.load import load_data
from edgekd.distill.cut import cut_layers
from edgekd.distill.teacher import HeadedEncoder, Teacher, load_teacher, open_teacher
from edgekd.distill.training.examples import TokenizedExamples
from edgekd.distill.training.predict import predict
from edgekd.distill.training.tokens import Tokens, open_tokenizer, tokenize
from edgekd.distill.vocabulary import prune_vocabulary

LAYERS, VOCABULARY, MAX_TOKENS = (0, 5), 8192, 64
KEPT = HERE / ".edgekd" / "training"


@dataclass
class Prepared:
    """What every contender starts from."""

    teacher: HeadedEncoder
    student: HeadedEncoder
    rows: TokenizedExamples
    outputs: tuple[str, ...]
    teacher_tokens: Tokens
    tokenizer: str

    def label(self, rows: TokenizedExamples, count: int) -> None:
        """Compute the teacher's logits of some rows, as labelling does."""
        predict(self.teacher, self.teacher_tokens.first(count))


def find_teacher(study: str = "clinc150") -> Teacher:
    """Return the newest teacher that a study trained."""
    project = load_project(HERE / "studies" / f"{study}.yaml")
    labels = load_data(project.data, HERE / "studies", project.seed).outputs
    found = []
    for path in HERE.glob("studies/.edgekd/store/teacher/*/teacher.json"):
        if tuple(json.loads(path.read_text(encoding="utf-8"))["labels"]) == labels:
            found.append(path)
    if not found:
        sys.exit(f"no teacher: run edgekd run bench/studies/{study}.yaml first")
    return open_teacher(max(found, key=lambda path: path.stat().st_mtime).parent, "")


def prepare(count: int) -> Prepared:
    """Make all that training needs; the teacher's logits are kept from one process to the next."""
    project = load_project(HERE / "studies" / "clinc150.yaml")
    data = load_data(project.data, HERE / "studies", project.seed).split("train")
    picked = np.random.default_rng(0).permutation(len(data))[:count]
    texts = [data.texts[i] for i in picked]
    found = find_teacher()
    KEPT.mkdir(parents=True, exist_ok=True)
    whole = (found.path / "tokenizer.json").read_text(encoding="utf-8")
    pruned, kept = prune_vocabulary(whole, data.texts, VOCABULARY)
    (KEPT / "tokenizer.json").write_text(pruned, encoding="utf-8")
    tokens = tokenize(open_tokenizer(KEPT / "tokenizer.json", MAX_TOKENS), texts)
    theirs = tokenize(open_tokenizer(found.path / "tokenizer.json", MAX_TOKENS), texts)
    teacher = load_teacher(found)
    file = KEPT / f"logits-{count}.npy"
    if not file.exists():
        np.save(file, predict(teacher, theirs).astype(np.float16), allow_pickle=False)
    torch.manual_seed(0)
    student = cut_layers(load_teacher(found), LAYERS, kept)
    rows = TokenizedExamples(tokens, data.classes[picked], np.load(file, allow_pickle=False))
    return Prepared(teacher, student, rows, found.outputs, theirs, str(found.path / "tokenizer.json"))
