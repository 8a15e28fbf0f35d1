"""Callables for offline and server scenarios; imported by measured processes through PYTHONPATH."""

import time


class Batcher:
    """Takes a time a call and a time a text; `answer_all` pays the first once for many texts."""

    def __init__(self, call_us, text_us, answers_lost=0):
        self._call_ns, self._text_ns, self._lost = int(call_us) * 1000, int(text_us) * 1000, int(answers_lost)

    def __call__(self, text):
        return self.answer_all([text])[0]

    def answer_all(self, texts):
        end = time.perf_counter_ns() + self._call_ns + self._text_ns * len(texts)
        while time.perf_counter_ns() < end:
            pass
        return [text.upper() for text in texts[self._lost :]]


def imported(path):
    """Write down what a process had imported before its subject."""
    import sys

    with open(path, "w") as file:  # noqa: PTH123
        file.write("\n".join(sorted(sys.modules)))
    return lambda text: text


def hangs_after(seconds, pid_file=""):
    """Answer at once, and from some time after it was built never."""
    import os
    from pathlib import Path

    end = time.perf_counter() + float(seconds)
    if pid_file:
        Path(pid_file + ".tmp").write_text(str(os.getpid()))
        Path(pid_file + ".tmp").rename(pid_file)

    def answer(text):
        while time.perf_counter() > end:
            time.sleep(0.01)
        return text

    return answer
