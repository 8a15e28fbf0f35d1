"""The machine and the libraries that a result was measured with."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import platform
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from edgekd.errors import BadInputError
from edgekd.measure.counters import read_core_ticks
from edgekd.measure.process import HUGE_PAGES

LIBRARIES = ("ai-edge-litert", "numpy", "onnxruntime", "openvino", "tokenizers", "torch")
# Instruction sets that change which kernels a runtime picks; x86 names as in /proc/cpuinfo, then arm64's.
ISA_FLAGS = (
    *("sse4_2", "avx", "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512bw", "avx512vl", "avx512_vnni"),
    *("avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16"),
    *("asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2"),
)
# Same machine type, not the same bytes: what the hypervisor or kernel keeps back varies from boot to boot.
_NOT_COMPARED = ("memory_bytes",)


@dataclass(frozen=True)
class Environment:
    """What a latency depends on beside the subject.

    Attributes:
        isa: the instruction sets of `ISA_FLAGS` that the CPU has.
        cores: cores that this process may use.
        libraries: (name, version) of the installed ones of `LIBRARIES`.
        huge_pages: the kernel's mode, and the allocator's setting in the measured processes.
        threads: thread budget, and number of cores that the subjects are pinned to.
        gpu: the first NVIDIA GPU's name, empty without one.
    """

    cpu: str
    arch: str
    isa: tuple[str, ...]
    cores: int
    memory_bytes: int
    governor: str
    kernel: str
    python: str
    libraries: tuple[tuple[str, str], ...]
    huge_pages: str
    threads: int
    gpu: str = ""

    @property
    def fingerprint(self) -> str:
        """Digest of all that must be equal for two results to compare."""
        return hashlib.sha256(json.dumps(self._compared(), sort_keys=True).encode()).hexdigest()

    def differences(self, other: Environment) -> tuple[str, ...]:
        """Name every key that keeps two results from comparing, with both values."""
        mine, theirs = self._compared(), other._compared()
        return tuple(f"{key}: {mine[key]} / {theirs[key]}" for key in mine if mine[key] != theirs[key])

    def _compared(self) -> dict[str, object]:
        return {key: value for key, value in dataclasses.asdict(self).items() if key not in _NOT_COMPARED}


def read_environment(threads: int) -> Environment:
    """Read this machine; loads none of the libraries whose version it states."""
    cpu, flags = _read_cpu()
    return Environment(
        cpu=cpu,
        arch=platform.machine(),
        isa=tuple(flag for flag in ISA_FLAGS if flag in flags),
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        governor=_first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        kernel=platform.release(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        libraries=tuple(sorted(_installed())),
        huge_pages=f"{_huge_page_mode()}; {HUGE_PAGES}",
        threads=threads,
        gpu=find_gpu(),
    )


def quiet_cores(count: int, watch_seconds: float = 0.1) -> tuple[int, ...]:
    """Return the `count` allowed cores that were least busy while watched for `watch_seconds`."""
    allowed = sorted(os.sched_getaffinity(0))
    if count > len(allowed):
        raise BadInputError(
            f"threads: {count} asked for, {len(allowed)} cores are allowed here; lower threads"
        )
    before = read_core_ticks()
    time.sleep(watch_seconds)
    after = read_core_ticks()

    def busy(core: int) -> int:
        return sum(after[core][part] - before[core][part] for part in (0, 2))

    # On a tie the last core: the first one serves most interrupts.
    return tuple(sorted(sorted(allowed, key=lambda core: (busy(core), -core))[:count]))


def _read_cpu() -> tuple[str, set[str]]:
    fields: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    flags = set(fields.get("flags", fields.get("Features", "")).split())
    if name := fields.get("model name"):
        detail = (fields.get("cpu family"), fields.get("model"), fields.get("stepping"))
        return f"{name} (family {detail[0]}, model {detail[1]}, stepping {detail[2]})", flags
    if "CPU part" in fields:  # arm64 gives numbers instead of a name
        return f"arm implementer {fields.get('CPU implementer')} part {fields['CPU part']}", flags
    return platform.processor() or "unknown", flags


def find_gpu() -> str:
    """Return the first NVIDIA GPU's name as the loaded driver has it, empty without one."""
    for path in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key == "Model":
                return value.strip()
    return ""


def _installed() -> list[tuple[str, str]]:
    found = []
    for name in LIBRARIES:
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    return found


def _huge_page_mode() -> str:
    modes = _first_line("/sys/kernel/mm/transparent_hugepage/enabled")
    return modes[modes.index("[") + 1 : modes.index("]")] if "[" in modes else modes


def _first_line(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return "unknown"
