"""Outputs in PyTorch float32, each text as it would be served: what compiled models are held to."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from edgekd.distill.labels.labeller import Labeller
from edgekd.distill.training.tokens import Tokens
from edgekd.progress import Progress, silent

_BATCH = 64


def reference_outputs(
    network: nn.Module, tokens: Tokens, *, threads: int, on_progress: Progress = silent
) -> npt.NDArray[np.float32]:
    """Compute outputs [text, output]; only texts of equal length share a batch, so nothing is padded."""
    torch.set_num_threads(threads)
    lengths = tokens.lengths
    out: npt.NDArray[np.float32] | None = None
    done = 0
    with torch.inference_mode():
        for length in np.unique(lengths):
            rows = np.flatnonzero(lengths == length)
            for start in range(0, len(rows), _BATCH):
                picked = rows[start : start + _BATCH]
                outputs = network(torch.from_numpy(tokens.padded(picked)[0])).float().numpy()
                if out is None:
                    out = np.empty((len(tokens), outputs.shape[1]), dtype=np.float32)
                out[picked] = outputs
                done += len(picked)
                on_progress(done / len(tokens), f"{done} of {len(tokens)} texts")
    assert out is not None
    return out


def torch_labeller(network: nn.Module, *, threads: int, half: bool = False) -> Labeller:
    """Label by a network in PyTorch, in float32 or, with `half`, in bfloat16 where that loses little."""
    torch.set_num_threads(threads)

    def label(ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            outputs: npt.NDArray[np.float32] = network(torch.from_numpy(ids)).float().numpy()
        return outputs

    return Labeller(f"pytorch {'bfloat16' if half else 'float32'}", label)
