"""How busy the GPU is that a training runs on, as its driver says."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import Any

_EVERY_SECONDS = 0.25  # the driver's own figure is of the last sixth of a second to second


class GpuWatch:
    """Asks again and again, on a thread of its own, for the share of time in which the GPU ran a kernel.

    `read` returns that share of the moments before, None where it is not known.
    """

    def __init__(self, read: Callable[[], float | None], every_seconds: float = _EVERY_SECONDS) -> None:
        self._read, self._every = read, every_seconds
        self._seen: list[float] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gpu-watch", daemon=True)
        self._thread.start()

    def take(self) -> float | None:
        """Return the mean since it was last asked for, and begin anew; None where nothing was seen."""
        seen, self._seen = self._seen, []
        return sum(seen) / len(seen) if seen else None

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._every):
            share = self._read()
            if share is not None:
                self._seen.append(share)


class _Rates(ctypes.Structure):
    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


def open_reader(uuid: str, library: Any = None) -> Callable[[], float | None] | None:
    """Open what asks the driver for the use of one GPU; None where the driver does not tell.

    It does not of a part of a GPU (MIG). Source: NVML API reference, nvmlDeviceGetUtilizationRates: "Percent
    of time over the past sample period during which one or more kernels was executing on the GPU".

    Args:
        uuid: As the driver has it, `GPU-` before it.
        library: The driver's library of that interface, where it is open already.
    """
    if library is None:
        try:
            library = ctypes.CDLL("libnvidia-ml.so.1")
        except OSError:
            return None
    handle, rates = ctypes.c_void_p(), _Rates()
    if library.nvmlInit_v2() or library.nvmlDeviceGetHandleByUUID(uuid.encode(), ctypes.byref(handle)):
        return None

    def read() -> float | None:
        failed = library.nvmlDeviceGetUtilizationRates(handle, ctypes.byref(rates))
        return None if failed else float(min(100, rates.gpu)) / 100

    return None if read() is None else read
