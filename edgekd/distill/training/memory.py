"""Large blocks of memory that come again with every step."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

from edgekd.units import MIB

# Parameters of glibc's mallopt(3). Setting one ends glibc's own adjustment of the thresholds; so afterwards
# they are set to where it ends up once large blocks were freed. At their first values a later student's
# steps could give back every block.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
_MMAP_FROM, _TRIM_AT, _MMAPS = 32 * MIB, 64 * MIB, 65_536
_NEVER = 2**31 - 1

# Of madvise(2). The room is address space: what nobody writes to takes no memory.
_MADV_HUGEPAGE, _HUGE, _ROOM = 14, 2 * MIB, 1024 * MIB


@contextmanager
def kept_memory() -> Iterator[None]:
    """Keep freed memory in the process while the block runs, where the C library is glibc.

    It hands each block over 32 MB back to the system, and the next one comes as pages to be filled with
    zeros one by one: a tenth of a step where a whole table of token vectors has a gradient. The first GiB of
    what comes lies in huge pages where the system has them: a step of six layers takes a fifth less time.
    Numbers are the same. Source: mallopt(3), M_MMAP_MAX and M_TRIM_THRESHOLD; madvise(2), MADV_HUGEPAGE.
    """
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        yield
        return
    library.mallopt(_MMAP_MAX, 0)
    library.mallopt(_TRIM_THRESHOLD, _NEVER)
    _use_huge_pages(library)
    try:
        yield
    finally:
        library.mallopt(_MMAP_MAX, _MMAPS)
        library.mallopt(_MMAP_THRESHOLD, _MMAP_FROM)
        library.mallopt(_TRIM_THRESHOLD, _TRIM_AT)
        library.malloc_trim(0)


def _use_huge_pages(library: ctypes.CDLL) -> None:
    """Let the end of the heap grow and ask for huge pages there; where it cannot be had, all is as before."""
    library.malloc.restype = library.sbrk.restype = ctypes.c_void_p
    library.malloc.argtypes = [ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_void_p]
    library.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    block = library.malloc(_ROOM)
    if not block:
        return
    first, end = -(-block // _HUGE) * _HUGE, library.sbrk(0)
    library.free(block)  # the trim threshold keeps it in the heap
    if end is not None and end > first:
        library.madvise(first, (end - first) // _HUGE * _HUGE, _MADV_HUGEPAGE)
