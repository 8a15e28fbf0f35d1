"""Steps that answer the rows of a split: artifacts, models in PyTorch, a linear bag of words."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Literal

import numpy as np
import numpy.typing as npt

from edgekd.compile import Artifact
from edgekd.compile.artifact import read_fitted
from edgekd.data.reader import Targets
from edgekd.data.taskdata import TaskData
from edgekd.engines.step import Folder, Inputs, Part, Settings, Step
from edgekd.evaluate.predictions import Predictions, load_predictions, save_predictions
from edgekd.measure.environment import read_environment
from edgekd.pipeline.context import Context, library_versions
from edgekd.pipeline.opening import Split, answer_requests, open_rows, open_task
from edgekd.progress import Progress
from edgekd.serving import load
from edgekd.serving.calibrate import spread_bias
from edgekd.serving.loader import Model
from edgekd.serving.request import join_outputs
from edgekd.store import Stage

LOGITS = "logits.npy"
Word = Literal["answer", "validate"]
"""What an artifact does with a split's rows: `validate` are the validation rows, `answer` the test rows."""
WORDS: tuple[Word, ...] = ("validate", "answer")
_SPLITS: dict[Word, Split] = {"answer": "test", "validate": "validation"}
_CHUNK = 256  # texts answered between two words on progress


def answer_step(context: Context, name: str, model: Part | Folder, word: Word = "answer") -> Step:
    """Answer every row of a split through an artifact's own loader; `name` is the variant's.

    `model` is that of the artifact which decides its outputs: artifacts that decide otherwise share them.
    """
    split = _SPLITS[word]
    return Step(
        f"{word}/{name}",
        3,
        "edgekd.pipeline.answering:build_answers",
        settings={"split": split},
        inputs={"artifact": model, "rows": context.data.part(split)},
        reads={
            "libraries": library_versions("onnxruntime", "openvino", "tokenizers", "numpy"),
            "machine": read_environment(1).cpu,
        },
        how={"threads": context.project.threads},
    )


def artifact_step(context: Context, artifact: Artifact, word: Word = "answer") -> Step:
    """Answer every row of a split with an artifact that is there."""
    name = f"{artifact.student}.{artifact.runtime}.{artifact.recipe}"
    return answer_step(context, name, Folder(artifact.path, artifact.model_digest), word)


def answer_stage(context: Context, artifact: Artifact, word: Word = "answer") -> Stage:
    """Do so now."""
    return context.engine.make(artifact_step(context, artifact, word))


def artifact_answers(
    context: Context, rows: TaskData, artifact: Artifact, word: Word = "answer"
) -> Predictions:
    """Answer every row of a split, `rows`, as the artifact would be served, less its routing."""
    return read_served(artifact.path, artifact.digest, answer_stage(context, artifact, word).path, rows)


def read_served(artifact: Path, subject: str, answers: Path, rows: TaskData) -> Predictions:
    """Read the answers in a step's folder as the artifact `subject` gives them: with its bias."""
    calibration = read_fitted(artifact)
    bias = spread_bias(calibration.bias, rows.outputs)
    return served_predictions(subject, read_answers(answers, rows), calibration.temperature, bias)


def read_answers(folder: Path, rows: TaskData) -> Predictions:
    """Read the answers to a split's rows from a step's folder."""
    return load_predictions(folder / LOGITS, rows.ids)


def served_predictions(
    subject: str, answers: Predictions, temperature: float, bias: npt.NDArray[np.float64] | None
) -> Predictions:
    """Give a model's outputs the name and the bias of an artifact; `bias` [label] is of log probabilities."""
    return Predictions(subject, answers.outputs, None if bias is None else bias * temperature)


def build_answers(folder: Path, settings: Settings, inputs: Inputs, progress: Progress) -> None:
    """Write an artifact's outputs to the rows of a split."""
    rows = open_rows(inputs["rows"].path).split(settings["split"])
    artifact = inputs["artifact"]
    outputs = answer_one_by_one(artifact.path, rows.requests, settings["threads"], progress)
    save_predictions(Predictions(artifact.digest, outputs), rows.ids, folder / LOGITS)


def answer_one_by_one(
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
            return model.outputs(texts[start : start + _CHUNK])
        finally:
            free.put(model)

    parts = []
    with ThreadPoolExecutor(threads) as pool:
        for start, part in zip(starts, pool.map(answer, starts), strict=True):
            parts.append(part)
            progress(start / len(texts), f"{start} of {len(texts)} texts")
    return join_outputs(parts)


def reference_step(context: Context, source: Step | Folder, model: str, split: Split) -> Step:
    """Answer every row of a split with a student, or the teacher, in PyTorch float32."""
    return Step(
        f"reference/{model}",
        3,
        "edgekd.pipeline.answering:build_reference",
        settings={"model": model, "split": split, "threads": context.project.threads},
        inputs={"source": source, "rows": context.data.part(split)},
        reads={"libraries": library_versions("torch", "transformers", "tokenizers")},
    )


def build_reference(folder: Path, settings: Settings, inputs: Inputs, progress: Progress) -> None:
    """Write a model's outputs to the rows of a split."""
    source, rows = inputs["source"], open_rows(inputs["rows"].path).split(settings["split"])
    outputs = answer_requests(source, settings["model"], rows.requests, settings["threads"], progress)
    save_predictions(Predictions(source.digest, outputs), rows.ids, folder / LOGITS)


def baseline_step(context: Context) -> Step | None:
    """Answer every test row with a linear bag of words; None where words alone answer nothing of the task."""
    if not context.task.learning.takes_words:
        return None
    return Step(
        "baseline",
        2,
        "edgekd.pipeline.answering:build_baseline",
        inputs={"rows": context.data.part("train", "validation", "test")},
        reads={"libraries": library_versions("scikit-learn"), **context.task_reads},
    )


def build_baseline(folder: Path, settings: Settings, inputs: Inputs, progress: Progress) -> None:
    """Write what a bag of words answers, in the form of targets [row]."""
    from edgekd.distill.baseline import bag_of_words_answers
    from edgekd.distill.examples import Examples

    data, task = open_rows(inputs["rows"].path), open_task(inputs["rows"].path)
    train, validation = (data.split(name) for name in ("train", "validation"))
    learn, judged = (Examples(part.requests, part.targets) for part in (train, validation))
    learner = task.learning.plain(data.outputs)
    found = bag_of_words_answers(learner, learn, judged, data.split("test").requests)
    np.save(folder / "answers.npy", found, allow_pickle=False)


def read_baseline(folder: Path) -> Targets:
    """Read what `build_baseline` wrote."""
    answers: Targets = np.load(folder / "answers.npy", allow_pickle=False)
    return answers
