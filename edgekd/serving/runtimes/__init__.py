"""Engines that run a compiled model, one module each; imported only when asked for.

A module offers `open_session(folder, manifest, threads) -> Session`. One that can work on several texts at
once says so (`HAS_STREAMS`); where a manifest has `streams`, its session has a method
`run_many(rows) -> outputs of each`, both iterators in the same order. A session may have a method
`run_rows(rows) -> outputs [row, output]` for rows of ids that are all there at once: faster than one after
the other, and what a row gets depends on no other row; it is None where the model cannot do so.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..errors import ServingError
from ..quiet import silence

if TYPE_CHECKING:
    import numpy.typing as npt

silence()  # Python imports this package before any engine's module


class Session(Protocol):
    """An open model on one engine; not safe for concurrent calls."""

    def run(self, ids: Sequence[int]) -> npt.NDArray[np.float32]:
        """Return the outputs [output] of one text's token ids."""
        ...

    def run_batch(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return the outputs [text, output] of ids [text, token] of equal length, without padding.

        Dynamically quantized models choose their scales over the whole batch: their answers
        differ slightly from those of single texts.
        """
        ...


def import_runtime(folder: Path, manifest: Mapping[str, Any]) -> ModuleType:
    """Import the runtime that a manifest names."""
    name = manifest["runtime"]
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise ServingError(f"{folder / 'manifest.json'}: runtime '{name}' is not a runtime's name")
    module = f"{__name__}.{name.replace('-', '_')}"
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or name
        what = f"no runtime '{name}' here" if missing == module else f"{missing} is not installed"
        raise ServingError(f"{folder / 'manifest.json'}: {what}; it is needed to run this artifact") from None


def open_session(runtime: ModuleType, folder: Path, manifest: Mapping[str, Any], threads: int) -> Session:
    """Open the model that a verified manifest names, on its imported runtime."""
    streams = manifest.get("streams", 1)
    if type(streams) is not int or streams < 1:
        raise ServingError(f"{folder / 'manifest.json'}: streams must be >= 1, got {streams!r:.40}")
    if streams > 1 and not getattr(runtime, "HAS_STREAMS", False):
        raise ServingError(f"{folder}: {manifest['runtime']} works on one text at a time; streams must be 1")
    try:
        session: Session = runtime.open_session(folder, manifest, threads)
    except Exception as error:  # noqa: BLE001  (each runtime has errors of its own)
        words = " ".join(str(error).split())
        where = folder / manifest["model"]
        raise ServingError(f"{where}: {manifest['runtime']} cannot open it: {words:.200}") from None
    return session
