"""AdamW for dense weights, and Adam row by row for tables of which a step touches little.

A table of token vectors is most of a small student, and a step reads a few hundred of its rows. Dense Adam
moves all of it: 28 bytes a weight and step, which took two thirds of a static student's step. The lazy form
(as in TensorFlow's LazyAdam and torch's SparseAdam) moves only rows with a gradient; moments of the others
wait, and tables have no weight decay.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from edgekd.config import Training

_FRESH = 2e-3
"""Least peak rate of parameters that nothing has trained: an encoder's rate is far too low for a new head."""


class StudentOptimizer:
    """Moves dense parameters and row tables together, at one rate but for those that are `fresh`."""

    def __init__(self, model: nn.Module, training: Training, fresh: Iterable[Tensor] = ()) -> None:
        self._tables = [table for table in row_tables(model) if table.requires_grad]
        rows = {id(table) for table in self._tables}
        self._dense = [p for p in model.parameters() if p.requires_grad and id(p) not in rows]
        new = {id(p) for p in fresh}
        groups = [
            {
                "params": [p for p in self._dense if (p.ndim > 1) == is_matrix and (id(p) in new) == is_new],
                "weight_decay": training.weight_decay if is_matrix else 0.0,
                "times": max(1.0, _FRESH / training.learning_rate) if is_new else 1.0,
            }
            for is_new in (False, True)
            for is_matrix in (True, False)
        ]
        rate = training.learning_rate
        self._parts: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, lr=rate, fused=True)]
        if self._tables:
            self._parts.append(torch.optim.SparseAdam(self._tables, lr=rate))

    def step(self, rate: float, clip: float = 1.0) -> float:
        """Clip the gradient's norm to `clip`, move, forget the gradient; return the norm before clipping."""
        for table in self._tables:
            if table.grad is not None:
                # Dense where the table was read as a whole model reads it: for feature matching.
                is_sparse = table.grad.is_sparse
                table.grad = table.grad.coalesce() if is_sparse else table.grad.to_sparse(1)
        parts = [p.grad for p in self._dense if p.grad is not None]
        parts += [table.grad._values() for table in self._tables if table.grad is not None]
        norm = torch.nn.utils.get_total_norm(parts)
        share = torch.clamp(clip / (norm + 1e-6), max=1.0)
        torch._foreach_mul_(parts, share)
        for part in self._parts:
            for group in part.param_groups:
                group["lr"] = rate * group.get("times", 1.0)
            part.step()
            part.zero_grad(set_to_none=True)
        return float(norm)

    def tensors(self) -> dict[str, Tensor]:
        """Return all state by name, to be stored as tensors."""
        return {
            f"{number}.{index}.{key}": torch.as_tensor(value).detach().clone().contiguous()
            for number, part in enumerate(self._parts)
            for index, entries in part.state_dict()["state"].items()
            for key, value in entries.items()
        }

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Go back to what `tensors` returned."""
        for number, part in enumerate(self._parts):
            current = part.state_dict()
            current["state"] = {}
            for name, tensor in tensors.items():
                which, index, key = name.split(".")
                if int(which) == number:
                    # SparseAdam counts its steps in an int, AdamW in a tensor.
                    is_count = key == "step" and isinstance(part, torch.optim.SparseAdam)
                    current["state"].setdefault(int(index), {})[key] = int(tensor) if is_count else tensor
            part.load_state_dict(current)


def row_tables(model: nn.Module) -> list[Tensor]:
    """List the tables whose gradients hold only the rows that were read; a module says so by `row_tables`."""
    named: Iterable[Tensor] = getattr(model, "row_tables", ())
    return list(named)
