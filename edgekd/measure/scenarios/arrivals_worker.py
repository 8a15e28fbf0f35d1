"""The measured process of an open-loop server: meets a schedule of arrivals, one after the other.

Started as `python -P -m edgekd.measure.scenarios.arrivals_worker` by `server.py`. Requests arrive whether or
not the one before is answered: the schedule was drawn beforehand, and a latency counts from the scheduled
arrival. A closed loop sends the next request only after an answer, so that a stall delays, and is seen by,
one request alone ("coordinated omission": Tene, How NOT to Measure Latency, 2013).
"""

from __future__ import annotations

import os
import sys
import time

from edgekd.measure.counters import read_run_delay_ns, read_status
from edgekd.measure.worker import (
    HEADER_BYTES,
    LEAD_IN,
    WARMUP_SAMPLES,
    Recorder,
    die_with_parent,
    load_subject,
    map_samples,
    shorten_samples,
)

TYPE_CHECKING = False  # as type checkers read it, and as worker.py has it
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

# A request takes three samples. `block` says which figure `ns` is: when the request was due, counted from the
# schedule's start; from then to its answer; and the call alone. LEAD_IN on all three marks a request of the
# lead-in, in which the queue fills up from empty.
DUE, LATENCY, SERVICE = 0, 1, 2
SAMPLES_PER_REQUEST = 3
# On a two-core virtual machine a sleep ends late by 25 us in the median and 110 us at p99 without timer slack
# (by 80 us in the median with Linux's 50 us of it), so the last stretch is spun.
SPIN_NS = 100_000
# Between setting the clock and the schedule's start, so that the first arrival is not late already.
START_NS = 1_000_000


class Arrivals:
    """A schedule, and a place for what it costs to meet it."""

    def __init__(
        self,
        answer: Callable[[str], object],
        texts: list[str],
        order: Sequence[int],
        due_ns: list[int],
        lead_in_ns: int,
        words: memoryview,
    ) -> None:
        self._answer = answer
        self._texts = texts
        self._order = order
        self._due_ns = due_ns
        self._lead_in_ns = lead_in_ns
        self._words = words
        self.count = 0
        self.answers: list[object] = [None] * len(texts)

    def meet(self, max_wait_ns: int) -> bool:
        """Answer every request at its time, or as soon after as those before it are answered.

        Returns:
            Whether all were answered: False if a request had waited longer than `max_wait_ns` when its turn
            came, where this ends.
        """
        answer, texts, order, words = self._answer, self._texts, self._order, self._words
        lead_in_ns, inputs, answers, filled = self._lead_in_ns, len(self._order), self.answers, 0
        clock, sleep = time.perf_counter_ns, time.sleep
        began = clock() + START_NS
        for number, due in enumerate(self._due_ns):
            index = order[number % inputs]
            text = texts[index]
            arrival = began + due
            left = arrival - clock()
            if left > SPIN_NS:
                sleep((left - SPIN_NS) / 1e9)
            start = clock()
            while start < arrival:
                start = clock()
            if start - arrival > max_wait_ns:
                return False
            result = answer(text)
            end = clock()
            tag = index if due >= lead_in_ns else LEAD_IN << 32 | index
            words[filled] = due
            words[filled + 1] = DUE << 32 | tag
            words[filled + 2] = end - arrival
            words[filled + 3] = LATENCY << 32 | tag
            words[filled + 4] = end - start
            words[filled + 5] = SERVICE << 32 | tag
            filled += 2 * SAMPLES_PER_REQUEST
            answers[index] = result
            self.count = number + 1
            if result is None:
                raise TypeError(f"the callable answered None to input {index}")
        return True


def main(argv: list[str]) -> None:
    """Do one process's part of a server's measurement."""
    reply, lifeline = int(argv[0]), int(argv[1])
    die_with_parent(lifeline)
    os.sched_setaffinity(0, [int(core) for core in argv[2].split(",")])
    warmup_ns, max_wait_ns = int(argv[3]), int(argv[4])
    schedule_path, samples_path, warmup_path, answers_path, factory, *arguments = argv[5:]

    import gc
    import json

    def send(document: dict[str, Any]) -> None:
        os.write(reply, json.dumps(document).encode() + b"\n")

    with open(schedule_path, encoding="utf-8") as file:  # noqa: PTH123
        schedule = json.load(file)
    texts, order, due_ns = schedule["texts"], schedule["order"], schedule["due_ns"]
    answer, _ = load_subject(factory, arguments, texts[0])
    send({"stage": "loaded"})

    _warm_up(answer, texts, order, warmup_ns, warmup_path)
    has_exact_timer = _take_timer_slack()
    samples = map_samples(samples_path, SAMPLES_PER_REQUEST * len(due_ns))
    words = memoryview(samples)[HEADER_BYTES:].cast("Q")
    arrivals = Arrivals(answer, texts, order, due_ns, warmup_ns, words)
    gc.collect()
    gc.freeze()
    gc.disable()
    send({"stage": "ready"})

    before, delay_before = read_status(), read_run_delay_ns()
    cpu_before, began = time.process_time_ns(), time.perf_counter_ns()
    is_complete = arrivals.meet(max_wait_ns)
    elapsed_ns, cpu_ns = time.perf_counter_ns() - began, time.process_time_ns() - cpu_before
    after, delay_after = read_status(), read_run_delay_ns()

    count, timed = arrivals.count, arrivals.answers
    del arrivals, words
    samples.close()
    shorten_samples(samples_path, SAMPLES_PER_REQUEST * count)
    said = [None if result is None else repr(result) for result in timed]
    with open(answers_path, "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump({"untimed": [], "timed": said}, file)
    send(
        {
            "stage": "done",
            "answered": count,
            "is_complete": is_complete,
            "elapsed_ns": elapsed_ns,
            "has_exact_timer": has_exact_timer,
            "scheduling": {
                "cpu_ns": cpu_ns,
                "run_delay_ns": None if None in (delay_before, delay_after) else delay_after - delay_before,  # type: ignore[operator]
                "voluntary_switches": after["voluntary_switches"] - before["voluntary_switches"],
                "involuntary_switches": after["involuntary_switches"] - before["involuntary_switches"],
            },
        }
    )


def _warm_up(
    answer: Callable[[str], object], texts: list[str], order: Sequence[int], budget_ns: int, path: str
) -> None:
    """Answer text after text for a time, into a file of its own."""
    samples = map_samples(path, WARMUP_SAMPLES)
    words = memoryview(samples)[HEADER_BYTES:].cast("Q")
    recorder = Recorder(answer, texts, order, words)
    recorder.run(budget_ns, 0)
    count = recorder.count
    del recorder, words
    samples.close()
    shorten_samples(path, count)


def _take_timer_slack() -> bool:
    """Ask the kernel to end sleeps on time rather than when convenient; return whether it does.

    By the file and not by prctl(2), because that would need ctypes.
    """
    try:
        with open("/proc/self/timerslack_ns", "w", encoding="ascii") as control:  # noqa: PTH123
            control.write("1")
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main(sys.argv[1:])
