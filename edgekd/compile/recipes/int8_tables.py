"""Embedding tables in int8 with a scale a row, products in half precision on disk and single in memory.

For static students on numpy. The norm's weights, its mean and the half of GELU are folded into the products.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgekd.compile.small_table import quantize_rows
from edgekd.export import Graph

if TYPE_CHECKING:
    from torch import Tensor

VERSION = 1
RUNTIMES = ("numpy",)
KINDS = ("static",)
ISAS = ("avx2", "avx512f", "avx512_vnni", "asimd", "asimddp")
IS_EXACT = False
RESTORES = ()
LIBRARIES = ("torch", "safetensors")


def build(graph: Graph, folder: Path, calibration_ids: Sequence[list[int]], runtime: str) -> None:
    """Write `model.safetensors`."""
    del calibration_ids, runtime
    from safetensors.numpy import save

    from edgekd.distill.pairs import STEP
    from edgekd.distill.static import FoldedStatic

    assert graph.load is not None
    student = graph.load()
    assert isinstance(student, FoldedStatic)
    rows, scales = quantize_rows(_values(student.table.weight).astype(np.float32), 8)
    norm, inner, head = student.norm, student.inner, student.head
    weights = _values(inner.weight)
    bias = weights @ _values(norm.bias) + _values(inner.bias)
    weights = weights * _values(norm.weight)
    weights -= weights.mean(1, keepdims=True)
    tensors: dict[str, npt.NDArray[Any]] = {
        "rows": rows,
        "scales": scales.ravel(),
        "inner": weights.astype(np.float16),
        "inner_bias": bias.astype(np.float32),
        "head": (_values(head.weight) / 2).astype(np.float16),
        "head_bias": _values(head.bias).astype(np.float32),
    }
    places = dict(student.table.named_buffers()).get("places")
    if places is not None:
        tensors["places"] = places.numpy().astype(np.int32)
    sizes = {"tokens": student.tokens, "pairs": student.pairs, "step": STEP}
    # One entry: several are written in no fixed order.
    content = save(tensors, {"sizes": json.dumps(sizes, sort_keys=True)})
    (folder / "model.safetensors").write_bytes(content)


def _values(weights: Tensor) -> npt.NDArray[np.float64]:
    return weights.detach().numpy().astype(np.float64)
