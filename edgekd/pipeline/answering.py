"""Stages that answer the test rows: artifacts, models in PyTorch, a linear bag of words."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Literal

import numpy as np
import numpy.typing as npt

from edgekd.compile import Artifact
from edgekd.data.taskdata import TaskData
from edgekd.evaluate.predictions import Predictions, load_predictions, save_predictions
from edgekd.measure.environment import read_environment
from edgekd.pipeline.context import Context, library_versions
from edgekd.pipeline.staging import run_stage
from edgekd.progress import Progress
from edgekd.serving import load
from edgekd.serving.calibrate import read_calibration, spread_bias
from edgekd.serving.loader import Model
from edgekd.store import Stage

LOGITS = "logits.npy"
_CHUNK = 256  # texts answered between two words on progress


def answer_stage(
    context: Context, test: TaskData, artifact: Artifact, step: Literal["answer", "validate"] = "answer"
) -> Stage:
    """Answer every row of a split through the artifact's own loader; `validate` says it is not the test's.

    Logits do not depend on how an artifact decides, so artifacts that differ in that alone share them.
    """
    reads = {
        "model": artifact.model_digest,
        "rows": test.digest,
        "libraries": library_versions("onnxruntime", "openvino", "tokenizers", "numpy"),
        "machine": read_environment(1).cpu,
    }

    def build(folder: Path, progress: Progress) -> None:
        logits = _answer(artifact.path, test.texts, context.project.threads, progress)
        save_predictions(Predictions(artifact.model_digest, logits), test.ids, folder / LOGITS)

    name = f"{step}/{artifact.student}.{artifact.runtime}.{artifact.recipe}"
    return run_stage(context, name, 2, reads, build)


def artifact_answers(
    context: Context, rows: TaskData, artifact: Artifact, step: Literal["answer", "validate"] = "answer"
) -> Predictions:
    """Answer every row of a split as the artifact would be served, less its routing."""
    stage = answer_stage(context, rows, artifact, step)
    calibration = read_calibration(artifact.path / "calibration.json")
    bias = spread_bias(calibration.bias, tuple(artifact.manifest["labels"]))
    found = load_predictions(stage.path / LOGITS, rows.ids)
    return served_predictions(artifact.digest, found, calibration.temperature, bias)


def served_predictions(
    subject: str, answers: Predictions, temperature: float, bias: npt.NDArray[np.float64] | None
) -> Predictions:
    """Give a model's logits the name and the bias of an artifact; `bias` [label] is of log probabilities."""
    return Predictions(subject, answers.logits, None if bias is None else bias * temperature)


def _answer(
    artifact: Path, texts: Sequence[str], threads: int, progress: Progress
) -> npt.NDArray[np.float32]:
    """Answer texts [row] one by one, as they would be served; on each thread a model of its own."""
    starts = range(0, len(texts), _CHUNK)
    free: SimpleQueue[Model] = SimpleQueue()
    for _ in range(threads):
        free.put(load(artifact))

    def answer(start: int) -> npt.NDArray[np.float32]:
        model = free.get()
        try:
            return model.logits(texts[start : start + _CHUNK])
        finally:
            free.put(model)

    parts = []
    with ThreadPoolExecutor(threads) as pool:
        for start, part in zip(starts, pool.map(answer, starts), strict=True):
            parts.append(part)
            progress(start / len(texts), f"{start} of {len(texts)} texts")
    return np.concatenate(parts)


def reference_stage(context: Context, test: TaskData, source: Stage, model: str) -> Predictions:
    """Answer every test row with a student, or the teacher, in PyTorch float32."""
    reads = {
        "weights": source.digest,
        "rows": test.digest,
        "threads": context.project.threads,
        "libraries": library_versions("torch", "transformers", "tokenizers"),
    }

    def build(folder: Path, progress: Progress) -> None:
        import torch

        from edgekd.distill.lean import make_lean
        from edgekd.distill.reference import reference_outputs
        from edgekd.distill.student import load_module, open_student
        from edgekd.distill.teacher import load_whole, open_teacher
        from edgekd.distill.training.tokens import open_tokenizer, tokenize

        module: torch.nn.Module
        if model == "teacher":
            teacher = open_teacher(source.path, source.digest)
            module, limit = load_whole(teacher), teacher.max_tokens
        else:
            student = open_student(source.path, source.digest)
            module, limit = load_module(student), student.max_tokens
        module = make_lean(module, torch.arange(1, 17).reshape(2, 8))
        tokens = tokenize(open_tokenizer(source.path / "tokenizer.json", limit), test.texts)
        threads = context.project.threads
        logits = reference_outputs(module, tokens, threads=threads, on_progress=progress)
        save_predictions(Predictions(source.digest, logits), test.ids, folder / LOGITS)

    return load_predictions(run_stage(context, f"reference/{model}", 2, reads, build).path / LOGITS, test.ids)


def baseline_stage(context: Context, data: TaskData) -> npt.NDArray[np.int64]:
    """Answer every test row with a linear bag of words."""
    parts = [data.split(name).digest for name in ("train", "validation", "test")]
    reads = {"rows": parts, "libraries": library_versions("scikit-learn")}

    def build(folder: Path, progress: Progress) -> None:
        from edgekd.distill.baseline import bag_of_words_answers
        from edgekd.distill.examples import Examples
        from edgekd.distill.learners.classify import Classify

        train, validation = (data.split(name) for name in ("train", "validation"))
        learn, judged = (Examples(part.texts, part.classes) for part in (train, validation))
        found = bag_of_words_answers(Classify(data.labels), learn, judged, data.split("test").texts)
        np.save(folder / "answers.npy", found, allow_pickle=False)

    stage = run_stage(context, "baseline", 1, reads, build)
    answers: npt.NDArray[np.int64] = np.load(stage.path / "answers.npy", allow_pickle=False)
    return answers
