"""Say what a figure measured here is worth for a target: native, a stand-in's, or nothing."""

from __future__ import annotations

import re
from typing import Literal

from edgekd.config import Hardware
from edgekd.measure.environment import Environment

Basis = Literal["native", "proxy", "not measured"]

# Sets that change which kernels a runtime picks, and so the time; the rest of a CPU's flags do not.
_DECIDING = frozenset(
    (
        "avx2",
        "avx_vnni",
        "avx512f",
        "avx512_vnni",
        "avx512_bf16",
        "amx_int8",
        "asimd",
        "asimddp",
        "i8mm",
        "sve",
    )
)
_VENDORS = {"intel": "Intel", "amd": "AMD", "arm": "arm", "nvidia": "NVIDIA"}


def find_basis(hardware: Hardware, here: Environment) -> tuple[Basis, str]:
    """Compare the target's hardware with this machine; the reason names the first difference.

    A figure is native only where the same kernels run: the same architecture, maker (where the
    target names one) and deciding instruction sets, no fewer and no more; on a GPU the same GPU, which
    the target must name.
    """
    if hardware.gpu:
        return _compare_gpus(hardware, here)
    if hardware.arch != here.arch:
        return "proxy", f"measured on {here.arch}, the target is {hardware.arch}"
    if hardware.vendor and _VENDORS[hardware.vendor].lower() not in here.cpu.lower():
        return "proxy", f"measured on {here.cpu}, the target is {_VENDORS[hardware.vendor]}"
    wanted, found = set(hardware.isa) & _DECIDING, set(here.isa) & _DECIDING
    if wanted and found - wanted:
        return "proxy", f"this CPU also has {', '.join(sorted(found - wanted))}, the target may not"
    if wanted - found:
        return "proxy", f"this CPU lacks {', '.join(sorted(wanted - found))}"
    return "native", f"measured on {here.cpu}"


def _compare_gpus(hardware: Hardware, here: Environment) -> tuple[Basis, str]:
    """Compare the GPU of the target with the one that is here, and the processors beside them."""
    if not here.gpu:
        return "not measured", "no NVIDIA GPU here; its students are exported as ONNX"
    if hardware.gpu_name is None:
        return "proxy", f"measured on {here.gpu}; the target does not say which GPU it has: hardware.gpu_name"
    if not _names(hardware.gpu_name, here.gpu):
        return "proxy", f"measured on {here.gpu}, the target is {hardware.gpu_name}"
    if hardware.arch != here.arch:
        return "proxy", f"measured on {here.gpu} beside {here.arch}, the target is {hardware.arch}"
    return "native", f"measured on {here.gpu}"


def _names(part: str, gpu: str) -> bool:
    """Tell whether a name holds these words, in any case: `L4` is not the name of an L40S.

    >>> _names("l4", "NVIDIA L4"), _names("L4", "NVIDIA L40S"), _names("A100-SXM4", "NVIDIA A100-SXM4-40GB")
    (True, False, True)
    """
    return re.search(rf"(?<![0-9a-z]){re.escape(part.lower())}(?![0-9a-z])", gpu.lower()) is not None
