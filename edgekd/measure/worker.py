"""The measured process: builds one subject, answers, and times its answers when told to.

Started as `python -P -m edgekd.measure.worker` by `process.py`. Before the first answer it imports nothing
but the subject, `sys`, `os`, `time` and `fcntl`, because cold start and memory are measured here.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time

from edgekd.measure.counters import MemoryStages, read_run_delay_ns, read_status, reset_peak

TYPE_CHECKING = False  # as type checkers read it; importing typing would cost the subject's cold start
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from mmap import mmap
    from typing import Any

# Answers given untimed, that the timed ones are held against.
CHECKED_ANSWERS, MIN_CHECKED_ANSWERS, CHECKED_BUDGET_NS = 64, 16, 60_000_000
# Pairs of a text seen before and one never seen, timed after all else to find a cache of results.
CACHE_PAIRS, CACHE_BUDGET_NS, MIN_CACHE_PAIRS = 64, 60_000_000, 8
# A sample is two words: nanoseconds, then input index and block number. `samples.py` reads them with NumPy.
RECORD_BYTES = 16
HEADER_BYTES = 128
RECORD_TYPE = "[('ns', '<u8'), ('input', '<u4'), ('block', '<u4')]"
# Marks the first call of a block: it refills the caches that another subject emptied, and is not a latency.
LEAD_IN = 1 << 31
WARMUP_SAMPLES = 1 << 16
MIN_SAMPLES, MAX_SAMPLES = 1 << 10, 1 << 22
OVERHEAD_CALLS = 2000
F_SETSIG, SIGKILL = 10, 9  # asm-generic/fcntl.h, signal.h


class Recorder:
    """A place for samples and a walk over the inputs; `run` fills the one along the other."""

    def __init__(
        self, answer: Callable[[str], object], texts: list[str], order: Sequence[int], words: memoryview
    ) -> None:
        self._answer = answer
        self._texts = texts
        self._order = order
        self._words = words
        self._cursor = 0
        self._filled = 0
        self.answers: list[object] = [None] * len(texts)

    @property
    def count(self) -> int:
        """How many samples were taken."""
        return self._filled // 2

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another sample and its lead-in."""
        return self._filled + 4 > len(self._words)

    def lead_in(self, block: int) -> None:
        """Answer the previous input once more, marked, so that the block starts with warm caches."""
        self._cursor = (self._cursor or len(self._order)) - 1
        self.run(0, block | LEAD_IN)

    def run(self, budget_ns: int, block: int, calls: int = 0) -> int:
        """Answer input after input, at least one; return the nanoseconds that passed.

        Ends after `calls` calls, or where that is 0 after the first call that ends `budget_ns` or more after
        the start. Each input's last answer is kept in `answers`.
        """
        answer, texts, order, words = self._answer, self._texts, self._order, self._words
        cursor, filled, inputs, answers = self._cursor, self._filled, len(self._order), self.answers
        limit = len(words) - 1
        if calls:
            limit = min(limit, filled + 2 * calls)
        tag = block << 32
        clock = time.perf_counter_ns
        began = clock()
        deadline = began + (1 << 62 if calls else budget_ns)
        end = began
        while filled < limit:
            index = order[cursor]
            text = texts[index]
            start = clock()
            result = answer(text)
            end = clock()
            words[filled] = end - start
            words[filled + 1] = tag | index
            answers[index] = result
            filled += 2
            cursor += 1
            if cursor == inputs:
                cursor = 0
            if result is None:
                raise TypeError(f"the callable answered None to input {index}")
            if end >= deadline:
                break
        self._cursor, self._filled = cursor, filled
        return end - began


def main(argv: list[str]) -> None:
    """Do one process's part of a round, as `process.Child` dictates it."""
    begun_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    command, reply, lifeline = (int(part) for part in argv[:3])
    die_with_parent(lifeline)
    spawned_ns, warmup_ns, timed_ns = (int(part) for part in argv[3:6])
    first_path, inputs_path, samples_path, warmup_path, answers_path, factory, *arguments = argv[6:]
    stages = MemoryStages()
    stages.read("baseline")

    with open(first_path, encoding="utf-8", errors="surrogatepass", newline="") as file:  # noqa: PTH123
        first = file.read()
    answer, cold_start = load_subject(factory, arguments, first, stages.read)
    cold_start["process_ns"] = begun_ns - spawned_ns
    cold_start["total_ns"] = time.clock_gettime_ns(time.CLOCK_MONOTONIC) - spawned_ns - stages.paused_ns
    stages.read("loaded")

    import json

    def send(document: dict[str, Any]) -> None:
        os.write(reply, json.dumps(document).encode() + b"\n")

    send({"stage": "loaded"})
    with open(inputs_path, encoding="utf-8") as file:  # noqa: PTH123
        document = json.load(file)
    texts, order = document["texts"], document["order"]
    answers = _answer_some(answer, texts)
    scratch = memoryview(bytearray(WARMUP_SAMPLES * RECORD_BYTES)).cast("Q")
    # Some runtimes prepare themselves for each length of text when it first comes: one text of each, unless
    # that takes longer than what is timed.
    lengths = list({len(texts[index]): index for index in order}.values())
    warmup = Recorder(answer, texts, [*lengths, *order], scratch)
    spent = warmup.run(warmup_ns, 0)
    while warmup.count < len(lengths) and spent < warmup_ns + timed_ns and not warmup.is_full:
        spent += warmup.run(0, 0)
    _save(warmup_path, scratch, warmup.count)
    later = sorted(scratch[warmup.count // 2 * 2 : 2 * warmup.count : 2].tolist())
    typical_ns = later[len(later) // 2]
    overhead_ns, loop_ns = _measure_overhead(texts, order)
    del scratch
    stages.add_peak("steady", read_status()["peak_rss_bytes"])

    count = min(MAX_SAMPLES, max(MIN_SAMPLES, 3 * timed_ns // max(1, typical_ns)))
    samples = map_samples(samples_path, count)
    reset_peak()
    recorder = Recorder(answer, texts, order, memoryview(samples)[HEADER_BYTES:].cast("Q"))

    import gc

    gc.collect()
    gc.freeze()
    gc.disable()
    before, delay_before = read_status(), read_run_delay_ns()
    cpu_before = time.process_time_ns()
    send({"stage": "ready", "typical_ns": typical_ns})
    _serve_blocks(recorder, command, reply)

    cpu_ns = time.process_time_ns() - cpu_before
    after, delay_after = read_status(), read_run_delay_ns()
    mapped, count, timed = len(samples), recorder.count, recorder.answers
    del recorder
    # The map of samples is in this peak from its start, and was no part of those before.
    stages.add_peak("steady", after["peak_rss_bytes"] - (mapped if stages.can_reset else 0))
    samples.close()
    reset_peak()
    stages.read("steady")
    shorten_samples(samples_path, count)
    said = [None if result is None else repr(result) for result in timed]
    with open(answers_path, "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump({"untimed": answers, "timed": said}, file)
    send(
        {
            "stage": "done",
            "cold_start": {**cold_start, "parts": read_parts(answer)},
            "memory": stages.report(),
            "scheduling": {
                "cpu_ns": cpu_ns,
                "run_delay_ns": None if None in (delay_before, delay_after) else delay_after - delay_before,  # type: ignore[operator]
                "voluntary_switches": after["voluntary_switches"] - before["voluntary_switches"],
                "involuntary_switches": after["involuntary_switches"] - before["involuntary_switches"],
            },
            "overhead_ns": overhead_ns,
            "loop_ns": loop_ns,
            "cache_ratio": probe_cache(answer, texts),
        }
    )


def load_subject(
    factory: str,
    arguments: list[str],
    first: str,
    at_stage: Callable[[str], None] = lambda stage: None,
) -> tuple[Callable[[str], object], dict[str, int]]:
    """Import and call the factory, answer one text, and time each of the three.

    `at_stage` is called in between, with "imported" and "built", while the clock stands still.
    """
    module, _, function = factory.partition(":")
    clock = time.perf_counter_ns
    began = clock()
    __import__(module)
    build = getattr(sys.modules[module], function)
    import_ns = clock() - began
    at_stage("imported")
    began = clock()
    answer = build(*arguments)
    factory_ns = clock() - began
    at_stage("built")
    began = clock()
    result = answer(first)
    first_answer_ns = clock() - began
    if result is None:
        raise TypeError("the callable answered None to the first input")
    return answer, {"import_ns": import_ns, "factory_ns": factory_ns, "first_answer_ns": first_answer_ns}


def read_parts(answer: object) -> list[tuple[str, int]]:
    """Return what the subject says of its own opening: `opened_ns`, nanoseconds by stage, where it has it."""
    said = getattr(answer, "opened_ns", None)
    return [(str(name), int(ns)) for name, ns in said.items()] if isinstance(said, dict) else []


def die_with_parent(lifeline: int) -> None:
    """Have the kernel kill this process and its children when the other end of a pipe closes.

    Nothing is ever written to that pipe. Unlike PR_SET_PDEATHSIG this needs no ctypes (10 ms and 1 MiB of
    what is measured) and does not fire when the parent's thread ends; unlike reading the pipe it also ends
    a process that hangs. See fcntl(2), F_SETOWN and F_SETSIG, and `pipe_release` in the kernel's fs/pipe.c.
    """
    fcntl.fcntl(lifeline, F_SETSIG, SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    try:
        os.read(lifeline, 1)
    except BlockingIOError:
        return
    os._exit(1)  # the parent was gone before the kernel was asked


def map_samples(path: str, count: int) -> mmap:
    """Make a file of `count` empty samples, all its pages present, and map it; a sample of 0 ns is empty."""
    from mmap import MAP_POPULATE, MAP_SHARED, mmap

    size = HEADER_BYTES + count * RECORD_BYTES
    file = os.open(path + ".tmp", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        os.posix_fallocate(file, 0, size)
        mapped = mmap(file, size, flags=MAP_SHARED | MAP_POPULATE)
    finally:
        os.close(file)
    mapped[:HEADER_BYTES] = npy_header(count)
    os.rename(path + ".tmp", path)  # noqa: PTH104
    return mapped


def npy_header(count: int) -> bytes:
    """Return the start of an .npy file (format 1.0) of `count` samples, HEADER_BYTES long."""
    text = f"{{'descr': {RECORD_TYPE}, 'fortran_order': False, 'shape': ({count},), }}"
    start = b"\x93NUMPY\x01\x00" + (HEADER_BYTES - 10).to_bytes(2, "little")
    return start + text.ljust(HEADER_BYTES - 11).encode() + b"\n"


def shorten_samples(path: str, count: int) -> None:
    """Give back the room that was not filled; a crash in between leaves a longer file, or one too short."""
    file = os.open(path, os.O_RDWR)
    try:
        os.pwrite(file, npy_header(count), 0)
        os.ftruncate(file, HEADER_BYTES + count * RECORD_BYTES)
    finally:
        os.close(file)


def probe_cache(answer: Callable[[str], object], texts: list[str]) -> float | None:
    """Compare texts never seen with texts seen before: median time of the first over that of the second.

    A text never seen is a seen one with its words in reverse, within each of its parts (between U+001F), so
    that the model's work stays the same. Far above 1 means that answers are remembered. None where too few
    texts have several words.
    """
    clock = time.perf_counter_ns
    known = set(texts)
    seen: list[int] = []
    unseen: list[int] = []
    began = clock()
    for text in texts:
        turned = "\x1f".join(" ".join(reversed(part.split())) for part in text.split("\x1f"))
        if turned in known:
            continue
        known.add(turned)
        pair = [(text, seen), (turned, unseen)]
        for given, times in pair if len(seen) % 2 else pair[::-1]:
            start = clock()
            answer(given)
            times.append(clock() - start)
        enough = len(seen) >= MIN_CACHE_PAIRS and clock() - began > CACHE_BUDGET_NS
        if enough or len(seen) == CACHE_PAIRS:
            break
    if len(seen) < MIN_CACHE_PAIRS:
        return None
    middle = len(seen) // 2
    ratio: float = sorted(unseen)[middle] / max(1, sorted(seen)[middle])
    return ratio


def _serve_blocks(recorder: Recorder, command: int, reply: int) -> None:
    """Run a block for every line `<budget_ns> <block> <calls or 0>`, until `stop`; asleep in between."""
    longest_ns = 0
    with open(command, encoding="ascii", closefd=False) as lines:
        for line in lines:
            if line == "stop\n":
                return
            budget_ns, block, calls = (int(part) for part in line.split())
            # A call as long as its block refills the caches by itself: a lead-in would double its cost.
            if calls > 1 or longest_ns < budget_ns:
                recorder.lead_in(block)
            longest_ns, before = 0, recorder.count
            passed_ns = recorder.run(budget_ns, block, calls)
            longest_ns = passed_ns // max(1, recorder.count - before)
            os.write(reply, b'{"stage": "block", "ns": %d, "full": %d}\n' % (passed_ns, recorder.is_full))
    os._exit(1)  # the parent has gone


def _answer_some(answer: Callable[[str], object], texts: list[str]) -> list[str]:
    answers: list[str] = []
    began = time.perf_counter_ns()
    for index, text in enumerate(texts[:CHECKED_ANSWERS]):
        if index >= MIN_CHECKED_ANSWERS and time.perf_counter_ns() - began > CHECKED_BUDGET_NS:
            break
        result = answer(text)
        if result is None:
            raise TypeError(f"the callable answered None to input {index}")
        answers.append(repr(result))
    return answers


def _measure_overhead(texts: list[str], order: list[int]) -> tuple[int, int]:
    """Time a callable that does nothing: return the median sample, and the whole cost of a sample, in ns."""
    words = memoryview(bytearray(OVERHEAD_CALLS * RECORD_BYTES)).cast("Q")
    recorder = Recorder(lambda text: text, texts, order, words)
    passed_ns = recorder.run(1 << 62, 0)
    return sorted(words[::2].tolist())[OVERHEAD_CALLS // 2], passed_ns // OVERHEAD_CALLS


def _save(path: str, words: memoryview, count: int) -> None:
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(npy_header(count))
        file.write(words[: 2 * count])


if __name__ == "__main__":
    main(sys.argv[1:])
