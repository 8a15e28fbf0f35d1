"""A model's answers to many texts, and the precision it computes in."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edgekd.distill.training.tokens import Tokens, length_batches
from edgekd.progress import Progress, silent

# Tokens a batch when only answers are wanted: more is no faster on a CPU.
_BATCH_TOKENS = 1024


def predict(
    model: torch.nn.Module, tokens: Tokens, *, batch: int = _BATCH_TOKENS, on_progress: Progress = silent
) -> npt.NDArray[np.float32]:
    """Compute logits [row, label] in the rows' order, in batches of like length of `batch` tokens."""
    model.eval()
    out: npt.NDArray[np.float32] | None = None
    done = 0
    with torch.inference_mode():
        for picked in length_batches(tokens.lengths, batch):
            with autocast():
                logits = model(*padded_tensors(tokens, picked)).float().numpy()
            if out is None:
                out = np.empty((len(tokens), logits.shape[1]), dtype=np.float32)
            out[picked] = logits
            done += len(picked)
            on_progress(done / len(tokens), f"{done} of {len(tokens)} texts")
    assert out is not None
    return out


def padded_tensors(tokens: Tokens, picked: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Return ids and mask of some rows, both [row, token]."""
    ids, mask = tokens.padded(picked)
    return torch.from_numpy(ids), torch.from_numpy(mask)


def autocast() -> torch.autocast:
    """Compute in bfloat16 where the CPU has instructions for it, else in float32."""
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=has_bf16())


def has_bf16() -> bool:
    """Tell whether the CPU multiplies bfloat16 in hardware; emulated it is slower than float32."""
    capability = torch.cpu.get_capabilities()
    return bool(capability.get("avx512_bf16") or capability.get("amx_bf16") or capability.get("amx_tile"))
