"""Keep a training run so that it can go on after a kill, bit for bit; tensors only, no pickle.

Weights that are frozen are not kept: of a base-size teacher with adapters that is 13 MB instead of 438.
A checkpoint is of the end of an epoch, or of a place within one.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from edgekd.distill.training.optimizer import StudentOptimizer


@dataclass(frozen=True)
class EpochPlace:
    """A place within an epoch: batches and rows that lie behind, and what their losses add up to.

    `sums` are losses times weights by name; `weight` adds up the weights of all rows, and
    `weight_with_target` those of rows that have a target.
    """

    batches: int = 0
    rows: int = 0
    sums: Mapping[str, float] = field(default_factory=dict)
    weight: float = 0.0
    weight_with_target: float = 0.0


class Due:
    """Says when so many seconds have gone by; never where none are given."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = math.inf if seconds is None else seconds
        self._began = time.monotonic()

    def restart(self) -> None:
        """Begin anew."""
        self._began = time.monotonic()

    def is_now(self) -> bool:
        """Tell whether they have gone by; begins anew where they have."""
        is_due = time.monotonic() - self._began >= self._seconds
        if is_due:
            self.restart()
        return is_due


@dataclass
class Progressed:
    """Where a run is: epochs done, the best one so far, and what each epoch showed.

    `place` is where the next epoch is; None at its start.
    """

    epochs: int = 0
    steps: int = 0
    best_epoch: int = 0
    is_stopped: bool = False
    history: list[dict[str, Any]] = field(default_factory=list)
    place: EpochPlace | None = None

    @property
    def name(self) -> str:
        """What its files begin with."""
        return f"epoch-{self.epochs}" if self.place is None else f"within-{self.steps}"


def save_checkpoint(
    folder: Path, model: torch.nn.Module, optimizer: StudentOptimizer, state: Progressed, is_best: bool
) -> None:
    """Write weights, optimizer and progress; the last file written makes the checkpoint count."""
    name = state.name
    weights = _trained(model)
    save_file(weights, folder / f"{name}.weights")
    save_file(optimizer.tensors(), folder / f"{name}.optimizer")
    if is_best:
        save_file(weights, folder / f"{name}.best")
    if state.place is not None:
        save_file(_random_states(), folder / f"{name}.random")
    temporary = folder / "state.tmp"
    temporary.write_text(json.dumps(asdict(state)), encoding="utf-8")
    temporary.replace(folder / "state.json")
    keep = {name, f"epoch-{state.best_epoch}"}
    for file in (*folder.glob("epoch-*"), *folder.glob("within-*")):
        is_start = state.place is not None and file.name == f"epoch-{state.epochs}.dominating"
        if not is_start and (file.stem not in keep or (file.stem != name and file.suffix != ".best")):
            file.unlink()


def load_checkpoint(folder: Path, model: torch.nn.Module, optimizer: StudentOptimizer) -> Progressed:
    """Go back to the last checkpoint, or to the beginning where none is whole."""
    try:
        state = Progressed(**json.loads((folder / "state.json").read_text(encoding="utf-8")))
        state.place = EpochPlace(**state.place) if isinstance(state.place, dict) else state.place
    except (OSError, ValueError, TypeError):
        return Progressed()
    name = state.name
    _put_back(model, folder / f"{name}.weights")
    optimizer.load(load_file(folder / f"{name}.optimizer"))
    return state


def restore_random_states(folder: Path, state: Progressed) -> None:
    """Put torch's random numbers where they were at a place within an epoch."""
    kept = load_file(folder / f"{state.name}.random")
    torch.set_rng_state(kept["cpu"])
    if "cuda" in kept:
        torch.cuda.set_rng_state(kept["cuda"])


def _random_states() -> dict[str, torch.Tensor]:
    found = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        found["cuda"] = torch.cuda.get_rng_state()
    return found


def load_best(folder: Path, model: torch.nn.Module, state: Progressed) -> None:
    """Put the best epoch's weights into the model."""
    _put_back(model, folder / f"epoch-{state.best_epoch}.best")


def _trained(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Copy what training changes; frozen weights are where the model came from."""
    frozen = _frozen(model)
    return {k: v.detach().clone().contiguous() for k, v in model.state_dict().items() if k not in frozen}


def _put_back(model: torch.nn.Module, file: Path) -> None:
    model.load_state_dict({**_frozen(model), **load_file(file)})


def _frozen(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {k: p.data for k, p in model.named_parameters(remove_duplicate=False) if not p.requires_grad}
