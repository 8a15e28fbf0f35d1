"""An artifact made slower by a known share: what the studies of power and the planted regression measure."""

from __future__ import annotations

import time
from collections.abc import Callable

from edgekd.serving import load


def open_slowed(folder: str, share: str) -> Callable[[str], object]:
    """Open an artifact whose calls take `share` longer than they would, by waiting busily.

    The wait is a share of the call itself and not a fixed time: a fixed one would be a smaller part of a call
    whenever the machine is slow. A share of 0 has the same wrapper.
    """
    model, factor, clock = load(folder, threads=1), 1.0 + float(share), time.perf_counter_ns

    def answer(text: str) -> object:
        start = clock()
        result = model(text)
        end = start + int((clock() - start) * factor)
        while clock() < end:
            pass
        return result

    return answer
