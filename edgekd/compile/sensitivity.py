"""What each operator's rounding does to each answer, from one pass forward and one back.

A product's rounded weights and activations move its output by d, which is computed beside the product.
To first order that moves where an answer stands (`yardstick`: of classes the truth's logit less the best
other one, else the outputs themselves) by g . d, where g is its gradient at that output. So one pass forward
and back over some examples gives the shift of every answer's standing by every operator; shifts add up, and
any choice of operators is predicted from their sum without another evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from edgekd.compile.int8_products import read_products, safe_scales
from edgekd.compile.rows import find_lookups
from edgekd.compile.small_table import quantize_rows
from edgekd.compile.yardstick import Standing
from edgekd.distill.lists import Lists

if TYPE_CHECKING:
    import onnx
    import torch
    from torch import nn

_BATCH = 32


@dataclass(frozen=True)
class Operator:
    """An operator that a recipe rounds: its node, weights [row, column] and what they are rounded to."""

    name: str
    kind: Literal["product", "table"]
    weights: npt.NDArray[np.float32]
    rounded: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Shifts:
    """Where rows stand [row, number] in fp32, what each operator adds to that [operator, row, number].

    `work` [operator] counts multiplications per example; a table has none. Of rows of several examples a
    number is that of an example; `standing` has NaN past the last one, and nothing shifts there.
    """

    standing: npt.NDArray[np.float32]
    shifts: npt.NDArray[np.float32]
    work: npt.NDArray[np.float64]


def list_operators(model: onnx.ModelProto) -> list[Operator]:
    """Return what int8 rounds: products with constant weights, then tables."""
    from onnx import numpy_helper

    tables = {weight.name: weight for weight in model.graph.initializer}
    found = []
    for product in read_products(model):
        scales = safe_scales(product.weights)
        rounded = np.rint(product.weights / scales) * scales
        found.append(Operator(product.node.name, "product", product.weights, rounded))
    for node in find_lookups(model):
        table = numpy_helper.to_array(tables[node.input[0]])
        rows, scale = quantize_rows(table, 8)
        found.append(Operator(node.name, "table", table, rows * scale))
    return found


def measure_shifts(
    module: nn.Module,
    examples: Sequence[Sequence[int]],
    standing: Standing,
    operators: Sequence[Operator],
    lists: Lists | None = None,
) -> Shifts:
    """Run the module that the operators' graph was exported from over examples, as ids.

    A row is one example, or where `lists` says so several, each of which then gives one number. An operator
    whose weights the module does not have gets no shift.
    """
    import torch

    where = np.zeros((len(examples), 0), np.float32)
    shifts = np.zeros((len(operators), len(examples), 0), np.float32)
    work = np.zeros(len(operators))
    lengths = np.array([len(ids) for ids in examples])
    watch = _make_watch(operators)
    for length in np.unique(lengths):
        same = np.flatnonzero(lengths == length)
        for start in range(0, len(same), _BATCH):
            picked = same[start : start + _BATCH]
            ids = torch.tensor([list(examples[place]) for place in picked])
            with watch:
                outputs = module(ids)
            numbers = standing.follow(outputs, picked)
            if not where.shape[1]:
                where = np.zeros((len(examples), numbers.shape[1]), np.float32)
                shifts = np.zeros((len(operators), *where.shape), np.float32)
            seen = watch.take()
            where[picked] = numbers.detach().numpy()
            for number in range(numbers.shape[1]):
                slopes = torch.autograd.grad(
                    numbers[:, number].sum(),
                    [probe for _, _, probe, _ in seen],
                    retain_graph=number + 1 < numbers.shape[1],
                )
                for (place, moved, _, _), slope in zip(seen, slopes, strict=True):
                    shifts[place, picked, number] += (slope * moved).flatten(1).sum(1).numpy()
            for place, _, _, count in seen:
                work[place] += count
    work /= len(examples)
    if lists is None:
        return Shifts(where, shifts, work)
    return Shifts(lists.fold(where), np.nan_to_num(np.stack([lists.fold(one) for one in shifts])), work)


def _make_watch(operators: Sequence[Operator]) -> Any:
    import torch
    from torch.nn import functional
    from torch.overrides import TorchFunctionMode

    class Watch(TorchFunctionMode):
        """Beside each known operator: how far rounding moves its output, and a probe for the gradient."""

        def __init__(self) -> None:
            self.known: dict[int, int | None] = {}
            self.rounded = [torch.from_numpy(one.rounded.astype(np.float32)) for one in operators]
            self.seen: list[tuple[int, torch.Tensor, torch.Tensor, int]] = []

        def take(self) -> list[tuple[int, torch.Tensor, torch.Tensor, int]]:
            seen, self.seen = self.seen, []
            return seen

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = func(*args, **(kwargs or {}))
            if func is functional.linear:
                place = self.find(args[1], "product")
            elif func is functional.embedding:
                place = self.find(args[1], "table")
            else:
                return out
            if place is None:
                return out
            with torch.no_grad():
                if func is functional.embedding:
                    moved, count = self.rounded[place][args[0]] - out, 0
                else:
                    bias = args[2] if len(args) > 2 else None
                    plain = out if bias is None else out - bias
                    moved = round_rows(args[0]) @ self.rounded[place] - plain
                    count = args[0].numel() * args[1].shape[0]
            probe = torch.zeros_like(out, requires_grad=True)
            self.seen.append((place, moved, probe, count))
            return out + probe

        def find(self, weight: torch.Tensor, kind: str) -> int | None:
            if id(weight) not in self.known:
                values = weight.detach().numpy()
                values = values.T if kind == "product" else values
                self.known[id(weight)] = next(
                    (
                        place
                        for place, one in enumerate(operators)
                        if one.kind == kind
                        and one.weights.shape == values.shape
                        and np.array_equal(one.weights, values)
                    ),
                    None,
                )
            return self.known[id(weight)]

    return Watch()


def round_rows(values: torch.Tensor) -> torch.Tensor:
    """Round each row of a batch to 256 steps from its least to its largest value, 0 among them."""
    flat = values.detach().flatten(1)
    low, high = flat.amin(1).clamp(max=0), flat.amax(1).clamp(min=0)
    step = ((high - low) / 255).clamp(min=1e-12)[:, None]
    zero = (-low[:, None] / step).round()
    return (((flat / step).round() + zero).clamp(0, 255) - zero).mul(step).view_as(values)
