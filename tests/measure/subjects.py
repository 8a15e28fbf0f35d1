"""Callables that measured processes build; imported by them through PYTHONPATH."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def busy(microseconds):
    """Burn a number of loop steps fixed by calibration outside, so that work and not time is constant."""
    steps = int(float(microseconds) * 20)

    def answer(text):
        total = 0
        for step in range(steps):
            total += step
        return len(text)

    return answer


def spin(microseconds):
    span = int(float(microseconds) * 1000)
    clock = time.perf_counter_ns

    def answer(text):
        end = clock() + span
        while clock() < end:
            pass
        return text

    return answer


def by_length():
    """Take 10 microseconds a character."""
    clock = time.perf_counter_ns

    def answer(text):
        end = clock() + 10_000 * len(text)
        while clock() < end:
            pass
        return len(text)

    return answer


def prepares_by_length():
    """Take 5 milliseconds for the first text of each length, 10 microseconds for every other."""
    seen = set()
    clock = time.perf_counter_ns

    def answer(text):
        end = clock() + (10_000 if len(text) in seen else 5_000_000)
        seen.add(len(text))
        while clock() < end:
            pass
        return len(text)

    return answer


def raises_at_build(message):
    raise ValueError(message)


def raises_later(count):
    left = int(count)

    def answer(text):
        nonlocal left
        left -= 1
        if left < 0:
            raise RuntimeError("the model broke")
        return text

    return answer


def none_later(count):
    left = int(count)

    def answer(text):
        nonlocal left
        left -= 1
        return None if left < 0 else text

    return answer


def dies_by(name):
    def answer(text):
        os.kill(os.getpid(), getattr(signal, name))

    return answer


def hangs(where, pid_file=""):
    """Hang while building, at the first answer, or (`grandchild`) with a process of its own."""
    if pid_file:
        pids = [os.getpid()]
        if where == "grandchild":
            pids.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"]).pid)
        temporary = Path(pid_file + ".tmp")
        temporary.write_text(" ".join(map(str, pids)))
        temporary.rename(pid_file)
    if where in ("build", "grandchild"):
        time.sleep(100)

    def answer(text):
        while True:
            pass

    return answer


def random_answers():
    return lambda text: os.urandom(4)


def environment_of(*names):
    """Answer the process's own settings."""
    values = {name: os.environ.get(name) for name in names}
    return lambda text: (values, sorted(os.sched_getaffinity(0)), text)


def echo(pid_file=""):
    if pid_file:
        with Path(pid_file).open("a") as file:
            file.write(f"{os.getpid()}\n")
    return lambda text: text


def holds(mebibytes):
    """Hold memory, all of it touched."""
    kept = bytearray(b"\x01") * (int(mebibytes) << 20)
    return lambda text: len(kept)


def peaks(mebibytes):
    """Touch memory while building, then give it back."""
    kept = bytearray(b"\x01") * (int(mebibytes) << 20)
    del kept
    return lambda text: text


def fails_in_process(number, counter):
    """Raise in the process that is the `number`-th to build this."""
    with Path(counter).open("a") as file:
        file.write("x")
    if Path(counter).stat().st_size == int(number):
        raise ValueError("this process fails")
    return lambda text: text


def changes_later(count):
    """Answer otherwise from the `count`-th call on."""
    left = int(count)

    def answer(text):
        nonlocal left
        left -= 1
        return text if left > 0 else text.upper()

    return answer


def remembers(microseconds):
    """Spin for each text once, then answer from memory."""
    known, work = {}, spin(microseconds)

    def answer(text):
        if text not in known:
            known[text] = work(text)
        return known[text]

    return answer


def slower(microseconds, share):
    """Spin for a time, longer by a share."""
    return spin(float(microseconds) * (1 + float(share)))


def hangs_from_process(number, counter):
    """Hang in the `number`-th process that builds this, and all after it."""
    with Path(counter).open("a") as file:
        file.write("x")
    while Path(counter).stat().st_size >= int(number):
        time.sleep(1)
    return spin(500)


def slow_from_process(number, counter, seconds):
    """Take `seconds` for each call in the `number`-th process that builds this, and all after it."""
    with Path(counter).open("a") as file:
        file.write("x")
    if Path(counter).stat().st_size < int(number):
        return spin(500)
    return lambda text: time.sleep(float(seconds)) or text


def other_answer_in_process(number, counter, text):
    """Echo, but for one text in the `number`-th process that builds this."""
    with Path(counter).open("a") as file:
        file.write("x")
    if Path(counter).stat().st_size != int(number):
        return echo()
    return lambda given: "another answer" if given == text else given


def raises_from_process(number, counter):
    """Raise in the `number`-th process that builds this, and all after it."""
    with Path(counter).open("a") as file:
        file.write("x")
    if Path(counter).stat().st_size >= int(number):
        raise RuntimeError("planted")
    return spin(500)
