"""The trained student as a Hugging Face folder, proven to answer as our own, and as our artifacts."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from lineup import ENTRIES, STUDENT, THREADS

from edgekd.compile import Examples, compile_graph
from edgekd.config import Build
from edgekd.config.reading import load_target
from edgekd.data.taskdata import TaskData
from edgekd.distill.reference import reference_outputs
from edgekd.distill.student import load_module, open_student
from edgekd.distill.training.tokens import open_tokenizer, tokenize
from edgekd.errors import ParityError
from edgekd.evaluate.classify.calibration import fit_temperature
from edgekd.export import Difference, export_graph, prove_parity
from edgekd.serving.heads import Head
from edgekd.store import digest_file

_RECIPES = {"onnxruntime": ("int8-dynamic", "lambda-x86"), "openvino": ("int8-nncf", "intel-openvino")}


def write_folder(source: Path) -> None:
    """Write weights, configuration and tokenizer under the names that `from_pretrained` looks for.

    `PreTrainedTokenizerFast` reads tokenizer.json as it is, in transformers 4 and 5 alike.
    """
    STUDENT.mkdir(parents=True, exist_ok=True)
    student = open_student(source, "")
    for name in ("model.safetensors", "tokenizer.json"):
        shutil.copyfile(source / name, STUDENT / name)
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    pad = open_tokenizer(source / "tokenizer.json", student.max_tokens).token_to_id("[PAD]")
    _write(STUDENT / "config.json", {**config, "pad_token_id": pad})
    tokens = {f"{name}_token": f"[{name.upper()}]" for name in ("unk", "sep", "pad", "cls", "mask")}
    notes = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": student.max_tokens,
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],  # BERT's
    }
    _write(STUDENT / "tokenizer_config.json", {**notes, **tokens})


def prove_folder(source: Path, texts: list[str]) -> Difference:
    """Hold the folder, opened as its users open it, against our own student on every text.

    Raises:
        ParityError: other token ids, or logits that differ by more than 1e-4.
    """
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    student = open_student(source, "")
    ours = open_tokenizer(source / "tokenizer.json", student.max_tokens)
    theirs = AutoTokenizer.from_pretrained(STUDENT)
    rows = [ours.encode(text).ids for text in texts]
    for text, ids in zip(texts, rows, strict=True):
        if theirs(text, truncation=True)["input_ids"] != ids:
            raise ParityError(f"AutoTokenizer gives other ids than tokenizer.json for {text!r:.80}")
    model, module = AutoModelForSequenceClassification.from_pretrained(STUDENT).eval(), load_module(student)
    labels = tuple(model.config.id2label[index] for index in range(model.config.num_labels))
    if labels != student.outputs:
        raise ParityError("the folder's labels are not the student's, in its order")

    def run(network: Any, ids: Any) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            found = network(torch.tensor([list(ids)]))
        return np.asarray(getattr(found, "logits", found)[0].numpy())

    return prove_parity(lambda ids: run(module, ids), lambda ids: run(model, ids), rows, texts)


def student_answers(source: Path, texts: list[str]) -> list[str]:
    """Answer texts with the student in PyTorch float32."""
    student = open_student(source, "")
    tokens = tokenize(open_tokenizer(source / "tokenizer.json", student.max_tokens), texts)
    logits = reference_outputs(load_module(student), tokens, threads=int(THREADS))
    return [student.outputs[index] for index in logits.argmax(1)]


def compile_ours(source: Path, calibration: TaskData) -> None:
    """Compile the student as `edgekd run` does, once for each engine."""
    student = open_student(source, "")
    with tempfile.TemporaryDirectory() as kept:
        graph = export_graph(
            load_module(student),
            source / "tokenizer.json",
            Path(kept) / "student.onnx",
            student=student.name,
            kind=student.kind,
            head=Head("classify", student.outputs),
            max_tokens=student.max_tokens,
        )
        for engine, (recipe, target) in _RECIPES.items():
            folder = next(entry.folder for entry in ENTRIES if entry.engine == engine)
            if (folder / "manifest.json").is_file():
                continue
            shutil.rmtree(folder, ignore_errors=True)
            compile_graph(
                graph,
                Build(runtime=engine, recipe=recipe),
                load_target(target).hardware,
                Examples(calibration.texts, lambda logits: fit_temperature(logits, calibration.classes)),
                task="intent",
                provenance={"student": digest_file(source / "model.safetensors")},
                folder=folder,
            )


def _write(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")
