"""Events of the training log, one JSON object a line."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict


class Event(BaseModel):
    """Base of events: `time` is seconds since 1970, UTC."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = 1
    time: float


class TrainStep(Event):
    """One optimizer step."""

    event: Literal["kd_train_step"] = "kd_train_step"
    task: str
    epoch: int
    global_step: int
    batch_size: int
    hard_ce: float
    kd_kl_t2: float
    total_loss: float
    grad_norm: float
    lr: float
    throughput_samples_per_sec: float


class EpochSummary(Event):
    """One pass over the training rows, judged on validation rows."""

    event: Literal["kd_epoch_summary"] = "kd_epoch_summary"
    task: str
    student: str
    teacher: str
    epoch: int
    train_loss: float
    val_loss: float
    val_accuracy: float
    teacher_preference_match: float
    seconds: float


class EventLog:
    """Appends events to a file; a line is written whole.

    A file that a killed run left goes on after its first `epochs` epochs: the others are run again.
    """

    def __init__(self, path: Path, epochs: int = 0) -> None:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
        whole = [line for line in lines if line.endswith("\n")]
        self._file = path.open("w", encoding="utf-8")
        self._file.writelines(line for line in whole if json.loads(line)["epoch"] <= epochs)

    def write(self, event: Event) -> None:
        """Append one event."""
        self._file.write(event.model_dump_json(exclude_none=True) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def now() -> float:
    """Seconds since 1970, UTC."""
    return time.time()
