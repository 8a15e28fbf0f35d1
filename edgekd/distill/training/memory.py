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


@contextmanager
def kept_memory() -> Iterator[None]:
    """Keep freed memory in the process while the block runs, where the C library is glibc.

    It hands each block over 32 MB back to the system, and the next one comes as pages to be filled with
    zeros one by one: a tenth of a step where a whole table of token vectors has a gradient. Numbers are the
    same. Source: mallopt(3), M_MMAP_MAX and M_TRIM_THRESHOLD.
    """
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        yield
        return
    library.mallopt(_MMAP_MAX, 0)
    library.mallopt(_TRIM_THRESHOLD, _NEVER)
    try:
        yield
    finally:
        library.mallopt(_MMAP_MAX, _MMAPS)
        library.mallopt(_MMAP_THRESHOLD, _MMAP_FROM)
        library.mallopt(_TRIM_THRESHOLD, _TRIM_AT)
        library.malloc_trim(0)
