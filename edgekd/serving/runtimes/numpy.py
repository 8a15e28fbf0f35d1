"""A static student on numpy alone: no engine to import, which is most of a cold start.

The student is a sum and a maximum over rows of a table, a norm and two products (`distill/static.py`).
Reading the larger product's weights is half of an answer's time.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import math
from collections.abc import Mapping, Sequence
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

MODEL = "model.safetensors"
"""Name of the compiled model in the artifact."""
PRECISION: Mapping[str, str] = {}
"""Hints that decide the precision of the answers; recorded in the manifest, and read from there."""
LIBRARIES: tuple[str, ...] = ()
"""Packages whose versions are recorded."""

_TYPES = {"I8": "<i1", "F16": "<f2", "F32": "<f4", "I32": "<i4"}
_EPSILON = 1e-5  # of LayerNorm
# x/2 (1 + tanh(x (a + b x^2 + c x^4))) is GELU within 8e-5; a minimax fit on [-8, 8]. Hendrycks and Gimpel's
# (arXiv:1606.08415) with two terms is within 5e-4. The half is in the head's weights.
_GELU = 7.97027148e-01, 3.73855266e-02, -3.99880777e-04


class _Session:
    def __init__(
        self, tensors: Mapping[str, npt.NDArray[Any]], sizes: Mapping[str, int], max_tokens: int
    ) -> None:
        self._rows, self._scales = tensors["rows"], tensors["scales"]
        self._places = tensors.get("places")
        self._tokens, self._pairs, self._step = (sizes[name] for name in ("tokens", "pairs", "step"))
        self._inner, self._inner_bias = tensors["inner"].astype(np.float32), tensors["inner_bias"]
        self._head, self._head_bias = tensors["head"].astype(np.float32), tensors["head_bias"]
        width = self._rows.shape[1]
        self._pooled = np.empty(2 * width, np.float32)
        self._sum, self._largest = self._pooled[:width], self._pooled[width:]
        self._mean = np.full(2 * width, 1 / (2 * width), np.float32)
        self._hidden, self._square, self._bent = np.empty((3, len(self._inner)), np.float32)
        # Enough for the longest text, tokens and pairs; shorter ones take the front of it.
        scales = np.empty(2 * max_tokens, np.float32)
        shape = len(scales), width
        self._whole = (
            np.empty(len(scales), np.int64),
            np.empty(shape, np.int8),
            scales,
            scales[:, None],
            np.empty(shape, np.float32),
        )
        self._views: dict[int, tuple[npt.NDArray[Any], ...]] = {}

    def run(self, ids: Sequence[int]) -> npt.NDArray[np.float32]:
        """Return the outputs [output] of one text."""
        step, pairs, tokens = self._step, self._pairs, self._tokens
        if max(ids) >= tokens:
            raise ValueError(f"its table has rows for {tokens} tokens")
        asked, before = list(ids), 0
        for one in ids:
            asked.append((before * step + one) % pairs + tokens)
            before = one
        places, rows, scales, column, vectors = self._views.get(len(asked)) or self._view(len(asked))
        places[:] = asked
        if self._places is not None:
            places[:] = self._places[places]
        self._rows.take(places, 0, rows, "clip")
        self._scales.take(places, 0, scales, "clip")
        np.multiply(rows, column, vectors)
        np.add.reduce(vectors, 0, out=self._sum)
        np.maximum.reduce(vectors, 0, out=self._largest)
        return self._answer()

    def _answer(self) -> npt.NDArray[np.float32]:
        """Norm, product, GELU, product. The norm's mean and weights are in the first product's."""
        pooled, hidden, square, bent = self._pooled, self._hidden, self._square, self._bent
        mean = float(pooled.dot(self._mean))
        variance = float(pooled.dot(pooled)) / len(pooled) - mean * mean
        self._inner.dot(pooled, hidden)
        np.multiply(hidden, 1 / math.sqrt(max(variance, 0.0) + _EPSILON), hidden)
        np.add(hidden, self._inner_bias, hidden)
        first, second, third = _GELU
        np.multiply(hidden, hidden, square)
        np.multiply(square, third, bent)
        np.add(bent, second, bent)
        np.multiply(bent, square, bent)
        np.add(bent, first, bent)
        np.multiply(bent, hidden, bent)
        np.tanh(bent, bent)
        np.add(bent, 1, bent)
        np.multiply(bent, hidden, bent)
        outputs: npt.NDArray[np.float32] = self._head.dot(bent)
        outputs += self._head_bias
        return outputs

    def run_batch(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return the outputs [text, output] of texts of equal length, one after the other."""
        return np.stack([self.run(row) for row in ids.tolist()])

    def _view(self, count: int) -> tuple[npt.NDArray[Any], ...]:
        self._views[count] = view = tuple(buffer[:count] for buffer in self._whole)
        return view


def open_session(folder: Path, manifest: Mapping[str, Any], threads: int) -> _Session:
    """Map the model; of its table only the rows that texts read ever come into memory."""
    _limit_threads(threads)
    with (folder / manifest["model"]).open("rb") as file:
        content = memoryview(mmap(file.fileno(), 0, access=ACCESS_READ))
    return _Session(*_read(content), manifest["max_tokens"])


def _read(content: memoryview) -> tuple[dict[str, npt.NDArray[Any]], dict[str, int]]:
    """Read a safetensors file: a header's size, the header in JSON, the tensors."""
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(bytes(content[8:start]))
    sizes: dict[str, int] = json.loads(header.pop("__metadata__")["sizes"])
    tensors = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        flat = np.frombuffer(content[start + first : start + last], _TYPES[entry["dtype"]])
        tensors[name] = flat.reshape(entry["shape"])
    return tensors, sizes


def _limit_threads(threads: int) -> None:
    """Tell numpy's own OpenBLAS; a product of this size is slower on several threads, and takes them all.

    Where numpy came with another library there is nothing to tell.
    """
    for path in Path(np.__file__).parent.parent.glob("numpy.libs/libscipy_openblas64_*"):
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(str(path)).scipy_openblas_set_num_threads64_(threads)
