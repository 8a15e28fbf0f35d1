"""LiteRT (TensorFlow Lite) with XNNPACK on the CPU."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

if TYPE_CHECKING:
    import numpy.typing as npt

MODEL = "model.tflite"
"""Name of the compiled model in the artifact."""
PRECISION: Mapping[str, str] = {}
"""Hints that decide the precision of the answers; recorded in the manifest, and read from there."""
LIBRARIES = ("ai-edge-litert",)
"""Packages whose versions are recorded."""

_SIGNATURE = "tokens_"


class _Session:
    """One signature a number of tokens; a text takes the next longer one and is padded."""

    def __init__(self, interpreter: Interpreter, ids: str, outputs: str) -> None:
        self._keep = interpreter
        self._output = outputs
        sizes = sorted(int(name.removeprefix(_SIGNATURE)) for name in interpreter.get_signature_list())
        self._buckets: list[Any] = []
        for size in sizes:
            run = interpreter.get_signature_runner(f"{_SIGNATURE}{size}")
            given = {ids: np.zeros((1, size), np.int32), "mask": np.zeros((1, size), np.int32)}
            run(**given)  # its memory is laid out now, not in the first answer
            bucket = (run, given, given[ids][0], given["mask"][0])
            # As many entries as there are lengths: which bucket a text takes is one look-up.
            self._buckets += [bucket] * (size + 1 - len(self._buckets))

    def run(self, ids: Sequence[int]) -> npt.NDArray[np.float32]:
        """Return the outputs [output] of one text."""
        count = len(ids)
        runner, given, row, mask = self._buckets[count]
        row[:count] = ids
        row[count:] = 0
        mask[:count] = 1
        mask[count:] = 0
        outputs: npt.NDArray[np.float32] = runner(**given)[self._output][0]
        return outputs

    def run_batch(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return the outputs [text, output] of texts of equal length, one after the other."""
        return np.stack([self.run(row) for row in ids.tolist()])


def open_session(folder: Path, manifest: Mapping[str, Any], threads: int) -> _Session:
    """Open the model; every signature shares its weights.

    A static student does without XNNPACK: its answer takes half as long again, some 20 microseconds, and
    loading it a quarter less memory (3 MiB).
    """
    without = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    resolver = without if manifest["student_kind"] == "static" else OpResolverType.AUTO
    with _hushed():
        interpreter = Interpreter(
            str(folder / manifest["model"]), num_threads=threads, experimental_op_resolver_type=resolver
        )
        return _Session(interpreter, manifest["input"]["name"], manifest["output"]["name"])


@contextmanager
def _hushed() -> Iterator[None]:
    """Keep the line with which the library greets from stderr; it writes there past Python."""
    ours = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(ours, 2)
        os.close(ours)
        os.close(nowhere)
