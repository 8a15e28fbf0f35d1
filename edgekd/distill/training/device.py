"""Where a model computes, and in which precision."""

from __future__ import annotations

import torch
from torch import nn

from edgekd.distill.logs.gpu import GpuWatch, open_reader


def find_device() -> torch.device:
    """Return the GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_of(model: nn.Module) -> torch.device:
    """Return where a model's parameters are."""
    return next(model.parameters()).device


def watch_gpu(device: torch.device) -> GpuWatch | None:
    """Begin to watch how busy a GPU is; None on a CPU, or where the driver does not tell."""
    if device.type != "cuda":
        return None
    read = open_reader(f"GPU-{torch.cuda.get_device_properties(device).uuid}")
    return None if read is None else GpuWatch(read)


def autocast(device: torch.device) -> torch.autocast:
    """Compute in bfloat16 where the device has instructions for it, else in float32."""
    enabled = torch.cuda.is_bf16_supported(including_emulation=False) if device.type == "cuda" else has_bf16()
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)


def has_bf16() -> bool:
    """Tell whether the CPU multiplies bfloat16 in hardware; emulated it is slower than float32."""
    capability = torch.cpu.get_capabilities()
    return bool(capability.get("avx512_bf16") or capability.get("amx_bf16") or capability.get("amx_tile"))
