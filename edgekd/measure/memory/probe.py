"""The process that `floor.py` puts under a limit: builds one subject and answers all texts, timed.

Started as `python -P -m edgekd.measure.memory.probe` to go under the limit, then executed anew in the same
process, so that all its memory is counted. Imports next to nothing, as in `worker.py`.
"""

from __future__ import annotations

import os
import sys
import time

from edgekd.measure.counters import read_status
from edgekd.measure.worker import die_with_parent, load_subject

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Fewer texts are answered again: a median over few calls would be one of cold calls.
MIN_CALLS = 200
SETTLE_SECONDS = 3.0


def main(argv: list[str]) -> None:
    """Go under a limit; or, told to "answer", do the probe's work, say how it went and wait to be killed."""
    lifeline, reply, how, *rest = argv
    die_with_parent(int(lifeline))
    if how != "answer":
        where, cores, *rest = rest
        os.sched_setaffinity(0, [int(core) for core in cores.split(",")])
        _enter(how, where)
        start = [sys.executable, "-P", "-m", "edgekd.measure.memory.probe"]
        os.execv(sys.executable, [*start, lifeline, reply, "answer", *rest])
    texts_path, slow_ns, factory, *arguments = rest
    texts = read_texts(texts_path)
    answer, _ = load_subject(factory, arguments, texts[0])
    median_ns = _answer_all(answer, texts, int(slow_ns))
    status = read_status()
    counts = (status["peak_rss_bytes"], status["peak_virtual_bytes"], status["file_rss_bytes"])
    os.write(int(reply), b"%d %d %d %d\n" % (median_ns, *counts))
    time.sleep(60)  # the parent reads the group's counts and then kills


def write_texts(path: str, texts: Sequence[str]) -> None:
    """Write texts for `read_texts`: a line of their lengths in characters, then all of them."""
    with open(path, "w", encoding="utf-8", errors="surrogatepass", newline="") as file:  # noqa: PTH123
        file.write(" ".join(str(len(text)) for text in texts) + "\n" + "".join(texts))


def read_texts(path: str) -> list[str]:
    """Read what `write_texts` wrote, without the memory that a JSON reader takes."""
    with open(path, encoding="utf-8", errors="surrogatepass", newline="") as file:  # noqa: PTH123
        lengths = file.readline().split()
        return [file.read(int(length)) for length in lengths]


def _enter(how: str, where: str) -> None:
    if how == "cgroup":
        with open(where, "w", encoding="ascii") as processes:  # noqa: PTH123
            processes.write("0")  # whoever writes
    elif how != "none":
        import resource

        resource.setrlimit(getattr(resource, how), (int(where), int(where)))


def _answer_all(answer: Callable[[str], object], texts: list[str], slow_ns: int) -> int:
    """Answer all texts; return the median time in ns of a pass over them.

    After a pass slower than `slow_ns` (0 is no bound) another one follows, for `SETTLE_SECONDS`: a neighbour
    on the machine slows a process down for a while, a limit that is too tight for good.
    """
    began, best = time.perf_counter(), 0
    while True:
        median_ns = _time_pass(answer, texts, slow_ns)
        best = min(best, median_ns) if best else median_ns
        if best <= slow_ns or not slow_ns or time.perf_counter() - began > SETTLE_SECONDS:
            return best


def _time_pass(answer: Callable[[str], object], texts: list[str], slow_ns: int) -> int:
    """Return the median; give up once most calls took longer than `slow_ns`."""
    clock, count = time.perf_counter_ns, max(MIN_CALLS, len(texts))
    times: list[int] = []
    slow = 0
    while len(times) < count and 2 * slow <= count:
        index = len(times) % len(texts)
        start = clock()
        result = answer(texts[index])
        times.append(clock() - start)
        if result is None:
            raise TypeError(f"the callable answered None to input {index}")
        slow += times[-1] > slow_ns > 0
    return sorted(times)[len(times) // 2]


if __name__ == "__main__":
    main(sys.argv[1:])
