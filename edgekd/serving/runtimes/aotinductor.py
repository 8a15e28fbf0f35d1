"""AOTInductor: machine code that PyTorch made, for one kind of GPU or for the CPU that made it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch._inductor import aoti_load_package

from ..errors import ServingError

if TYPE_CHECKING:
    import numpy.typing as npt

MODEL = "model.pt2"
"""Name of the compiled model in the artifact; it holds the weights."""
PRECISION: Mapping[str, str] = {}
"""Hints that decide the precision of the answers; the recipe decides it here."""
LIBRARIES = ("torch",)
"""Packages whose versions are recorded."""


class _Session:
    def __init__(self, model: Any, device: str) -> None:
        self._model = model
        self._device = device

    def run(self, ids: Sequence[int]) -> npt.NDArray[np.float32]:
        """Return the outputs [output] of one text."""
        first: npt.NDArray[np.float32] = self.run_batch(np.array([ids], np.int64))[0]
        return first

    def run_batch(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return the outputs [text, output] of texts of equal length."""
        with torch.inference_mode():
            outputs = self._model(torch.from_numpy(ids).to(self._device))
            found: npt.NDArray[np.float32] = outputs.float().cpu().numpy()
        return found


def open_session(folder: Path, manifest: Mapping[str, Any], threads: int) -> _Session:
    """Load the machine code onto the device that it was made for.

    Raises:
        ServingError: it was made for a GPU, and there is none here.
    """
    model = aoti_load_package(str(folder / manifest["model"]))
    device = model.get_metadata()["AOTI_DEVICE_KEY"]
    if device == "cuda" and not torch.cuda.is_available():
        raise ServingError(
            f"{manifest['model']}: made for an NVIDIA GPU, none is here; serve it where one is"
        )
    if device == "cpu":
        torch.set_num_threads(threads)
    return _Session(model, device)
