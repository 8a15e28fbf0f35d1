"""Soft labels: the texts a student learns from, with the teacher's logits, computed once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgekd.data.noise import augment
from edgekd.data.taskdata import TaskData
from edgekd.distill.teacher import Teacher, teacher_logits
from edgekd.progress import Progress, silent
from edgekd.store import write_atomic


@dataclass(frozen=True)
class SoftLabels:
    """Texts with teacher logits [text, label] in half precision, and class (-1 where unlabelled).

    Rows are the train split, then its noisy copies, then the unlabelled split.
    """

    texts: list[str]
    classes: npt.NDArray[np.int64]
    logits: npt.NDArray[np.float16]
    digest: str


def label_texts(
    data: TaskData,
    teacher: Teacher,
    folder: Path,
    *,
    augmentations: int,
    seed: int,
    threads: int,
    on_progress: Progress = silent,
) -> None:
    """Label every text a student may learn from, and the validation rows, and write them."""
    train, unlabelled = data.split("train"), data.split("unlabelled")
    texts = list(train.texts)
    known = set(texts)
    for text in [*augment(train.texts, augmentations, seed), *unlabelled.texts]:
        if text not in known:
            known.add(text)
            texts.append(text)
    _write(folder / "train", texts, teacher, threads, on_progress)
    _write(folder / "validation", data.split("validation").texts, teacher, threads, silent)


def open_soft_labels(folder: Path, data: TaskData, digest: str) -> tuple[SoftLabels, SoftLabels]:
    """Open what `label_texts` wrote: the rows to learn from, and the validation rows."""
    labelled = data.split("train").classes
    texts, logits = _read(folder / "train")
    classes = np.full(len(texts), -1, dtype=np.int64)
    classes[: len(labelled)] = labelled
    learn = SoftLabels(texts, classes, logits, digest)
    texts, logits = _read(folder / "validation")
    return learn, SoftLabels(texts, data.split("validation").classes, logits, digest)


def _write(folder: Path, texts: list[str], teacher: Teacher, threads: int, on_progress: Progress) -> None:
    folder.mkdir()
    logits = teacher_logits(teacher, texts, threads=threads, on_progress=on_progress)
    np.save(folder / "logits.npy", logits.astype(np.float16), allow_pickle=False)
    write_atomic(folder / "texts.json", json.dumps(texts, ensure_ascii=False))


def _read(folder: Path) -> tuple[list[str], npt.NDArray[np.float16]]:
    texts: list[str] = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
    return texts, np.load(folder / "logits.npy", mmap_mode="r", allow_pickle=False)
