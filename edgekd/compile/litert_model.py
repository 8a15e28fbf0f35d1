"""LiteRT's file: one signature a bucket of lengths, all of them over the same weights."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from edgekd.errors import ConfigError
from edgekd.export import Graph
from edgekd.export.graph import INPUT, OUTPUT

LIBRARIES = ("ai-edge-quantizer", "litert-torch", "torch")
"""Packages that decide the file."""

# A static student hardly feels padding, and each bucket repeats its table's scales in the file.
_BUCKETS = {"transformer": 6, "static": 2}
# A call's own cost, in tokens: a 2-layer student of width 384, dynamic int8.
_FIXED_TOKENS = 4


def convert(graph: Graph, calibration_ids: Sequence[list[int]], path: Path) -> None:
    """Write the student in fp32; its buckets are those that pad the calibration texts least.

    Raises:
        ConfigError: the graph is a file alone, not what a module was exported to.
    """
    if graph.load is None:
        raise ConfigError(f"{graph.student}: LiteRT converts PyTorch modules; this is an ONNX file alone")
    import torch

    from edgekd.distill.lean import make_lean

    with _quiet():
        import litert_torch

        example = torch.arange(1, 17).reshape(2, 8)
        lean = make_lean(graph.load().eval(), example, graph.max_tokens).eval()
        converter: Any = litert_torch
        lengths = [len(ids) for ids in calibration_ids]
        for size in choose_buckets(lengths, graph.max_tokens, _BUCKETS[graph.kind]):
            ids = torch.ones(1, size, dtype=torch.int32)
            converter = converter.signature(
                f"tokens_{size}", _name_output(lean), sample_kwargs={INPUT: ids, "mask": ids.clone()}
            )
        converter.convert().export(str(path))


def quantize_dynamically(path: Path, *, table_bits: Literal[4, 8] = 8) -> None:
    """Quantize a file in place: weights in int8, activations as they come, tables in 4 or 8 bits a row."""
    with _quiet(), tempfile.TemporaryDirectory() as temporary:
        from ai_edge_quantizer import quantizer, recipe

        rules = [*recipe.dynamic_wi8_afp32()]
        if table_bits == 4:
            (tables,) = recipe.dynamic_wi4_afp32()
            rules.append({**tables, "operation": "EMBEDDING_LOOKUP"})
        work = quantizer.Quantizer(str(path))
        work.load_quantization_recipe(rules)
        made = Path(temporary) / path.name
        work.quantize().export_model(str(made))
        path.write_bytes(made.read_bytes())


def choose_buckets(lengths: Sequence[int], most: int, count: int = 6) -> tuple[int, ...]:
    """Choose at most `count` lengths, the last `most`, so that padding each text to the next costs least.

    Exact, by dynamic programming over the lengths that occur; a call of n tokens costs n + 4.

    >>> choose_buckets([5, 5, 6, 12, 12, 13, 30], 64, 4)
    (6, 13, 30, 64)
    """
    counts = Counter(min(max(length, 1), most) for length in lengths)
    known = sorted({*counts, most})
    # best[k][i]: the least cost of all texts up to known[i] with k buckets, the last of them known[i].
    cost = [
        [sum(counts[n] for n in known[j : i + 1]) * (known[i] + _FIXED_TOKENS) for i in range(len(known))]
        for j in range(len(known))
    ]
    best: list[tuple[float, tuple[int, ...]]] = [(cost[0][i], (known[i],)) for i in range(len(known))]
    answer = best[-1]
    for _ in range(count - 1):
        best = [
            min(
                [(best[j - 1][0] + cost[j][i], (*best[j - 1][1], known[i])) for j in range(1, i + 1)],
                default=(float("inf"), ()),
            )
            for i in range(len(known))
        ]
        answer = min(answer, best[-1])
    return answer[1]


def _name_output(module: Any) -> Any:
    """Wrap a module so that what it gives has the output's name."""
    import torch

    class Named(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, input_ids: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
            return {OUTPUT: self.module(input_ids, mask)}

    return Named().eval()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the converter's progress, bars and notes off the terminal; some of it is written past Python."""
    ours = [os.dup(1), os.dup(2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    logging.disable(logging.CRITICAL)
    try:
        # Not a file: a logger that starts meanwhile keeps it, and must not find it closed.
        void = io.StringIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for number in (1, 2):
                os.dup2(nowhere, number)
            with contextlib.redirect_stdout(void), contextlib.redirect_stderr(void):
                yield
    finally:
        logging.disable(logging.NOTSET)
        for number, kept in zip((1, 2), ours, strict=True):
            os.dup2(kept, number)
            os.close(kept)
        os.close(nowhere)
