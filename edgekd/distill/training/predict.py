"""A model's outputs for many texts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edgekd.distill.training.device import autocast, device_of
from edgekd.distill.training.tokens import Tokens, length_batches
from edgekd.progress import Progress, silent

# Tokens a batch when only answers are wanted: more is no faster on a CPU.
_BATCH_TOKENS = 1024


def predict(
    model: torch.nn.Module, tokens: Tokens, *, batch: int = _BATCH_TOKENS, on_progress: Progress = silent
) -> npt.NDArray[np.float32]:
    """Compute outputs [row, output] in the rows' order, in batches of like length of `batch` tokens."""
    model.eval()
    device = device_of(model)
    out: npt.NDArray[np.float32] | None = None
    done = 0
    with torch.inference_mode():
        for picked in length_batches(tokens.lengths, batch):
            with autocast(device):
                outputs = model(*padded_tensors(tokens, picked, device)).float().cpu().numpy()
            if out is None:
                out = np.empty((len(tokens), outputs.shape[1]), dtype=np.float32)
            out[picked] = outputs
            done += len(picked)
            on_progress(done / len(tokens), f"{done} of {len(tokens)} texts")
    assert out is not None
    return out


def padded_tensors(
    tokens: Tokens, picked: npt.NDArray[np.int64], device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return ids and mask of some rows, both [row, token]."""
    ids, mask = tokens.padded(picked)
    return torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device)
