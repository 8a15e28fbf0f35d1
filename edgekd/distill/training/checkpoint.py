"""Keep a training run so that it can go on after a kill, bit for bit; tensors only, no pickle.

Weights that are frozen are not kept: of a base-size teacher with adapters that is 13 MB instead of 438.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from edgekd.distill.training.optimizer import StudentOptimizer


@dataclass
class Progressed:
    """Where a run is: epochs done, the best one so far, and what each epoch showed."""

    epochs: int = 0
    steps: int = 0
    best_epoch: int = 0
    is_stopped: bool = False
    history: list[dict[str, Any]] = field(default_factory=list)


def save_checkpoint(
    folder: Path, model: torch.nn.Module, optimizer: StudentOptimizer, state: Progressed, is_best: bool
) -> None:
    """Write weights, optimizer and progress; the last file written makes the checkpoint count."""
    name = f"epoch-{state.epochs}"
    weights = _trained(model)
    save_file(weights, folder / f"{name}.weights")
    save_file(optimizer.tensors(), folder / f"{name}.optimizer")
    if is_best:
        save_file(weights, folder / f"{name}.best")
    temporary = folder / "state.tmp"
    temporary.write_text(json.dumps(asdict(state)), encoding="utf-8")
    temporary.replace(folder / "state.json")
    keep = {name, f"epoch-{state.best_epoch}"}
    for file in folder.glob("epoch-*"):
        if file.stem not in keep or (file.stem != name and file.suffix != ".best"):
            file.unlink()


def load_checkpoint(folder: Path, model: torch.nn.Module, optimizer: StudentOptimizer) -> Progressed:
    """Go back to the last checkpoint, or to the beginning where none is whole."""
    try:
        state = Progressed(**json.loads((folder / "state.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return Progressed()
    name = f"epoch-{state.epochs}"
    _put_back(model, folder / f"{name}.weights")
    optimizer.load(load_file(folder / f"{name}.optimizer"))
    return state


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
