import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from edgekd.serve_log import Asked, LogPolicy, ServeLog
from edgekd.serve_log.segments import Segments

KEY = b"a key of twenty bytes"
SERVICE = """
import sys, time
from edgekd.serve_log import Asked, LogPolicy, ServeLog
log = ServeLog(sys.argv[1], LogPolicy(bytes(16), full_share=0.5))
number = 0
while True:
    log.record(Asked(f"r{number}", "text", 1.0, "m"), {"label": "faq", "probability": 0.5})
    number += 1
    print(number, flush=True)
    time.sleep(0.0005)
"""


def rows(folder: Path) -> list[dict]:
    lines = [line for file in sorted(folder.rglob("*.jsonl")) for line in file.read_text().splitlines()]
    return [json.loads(line) for line in lines]


def test_all_rows_are_hot_and_texts_lie_apart(tmp_path):
    log = ServeLog(tmp_path, LogPolicy(KEY, full_share=0.5), clock=lambda: 1_796_000_000.0)
    for number in range(200):
        log.record(Asked(f"r{number}", "my text", 1.0, "m"), {"label": "faq", "probability": 0.5})
    log.close()
    hot, audit = rows(tmp_path / "hot"), rows(tmp_path / "audit")
    assert len(hot) == 200
    assert not any("text" in row for row in hot)
    assert {row["request"] for row in audit} == {row["request"] for row in hot if row["mode"] == "full"}
    assert all(row["text"] == "my text" for row in audit)
    assert [path.name for path in (tmp_path / "hot").iterdir()] == ["day=2026-11-30"]


@pytest.mark.parametrize("wait", [0.7, 0.93, 1.11, 1.38])
def test_a_killed_service_loses_less_than_a_second(tmp_path, wait):
    command = [sys.executable, "-c", SERVICE, tmp_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        service.stdout.readline()
        began = time.monotonic()
        time.sleep(wait)
        os.kill(service.pid, signal.SIGKILL)
        seconds = time.monotonic() - began
        last = int(service.stdout.read().split()[-1])
    found = rows(tmp_path / "hot")  # every line is whole
    assert [row["event"] for row in found] == ["answer"] * len(found)
    assert (last - len(found)) / last * seconds < 1


def test_a_full_disk_drops_rows_counts_them_and_leaves_whole_lines(tmp_path):
    words = f"""
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
from pathlib import Path
from edgekd.serve_log.segments import Segments
log = Segments(Path({str(tmp_path)!r}))
for number in range(30):
    log.put(lambda: b"x" * 999 + b"\\n")
    log.flush()
log.close()
print(log.dropped)
"""
    told = subprocess.run([sys.executable, "-B", "-c", words], capture_output=True, text=True, check=True)
    files = list(tmp_path.rglob("*.jsonl"))
    lines = [line for file in files for line in file.read_text().splitlines()]
    assert set(map(len, lines)) == {999}
    assert len(lines) + int(told.stdout) == 30
    assert int(told.stdout) > 0


def test_a_folder_that_cannot_be_written_never_fails_an_answer(tmp_path):
    (tmp_path / "taken").write_text("a file")
    log = Segments(tmp_path / "taken")
    log.put(lambda: b"line\n")
    log.flush()
    log.put(lambda: 1 / 0)  # type: ignore[arg-type,return-value]
    log.close()
    log.put(lambda: b"late\n")
    assert log.dropped == 3


def test_threads_that_write_at_once_leave_whole_lines(tmp_path):
    log = Segments(tmp_path)

    def work(name):
        for number in range(300):
            log.put(lambda: f"{name} {number} {'x' * 100}\n".encode())  # noqa: B023
            if number % 10 == 0:
                log.flush()

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    lines = [line for file in tmp_path.rglob("*.jsonl") for line in file.read_text().splitlines()]
    assert len(lines) == 1200
    assert all(line.endswith("x" * 100) and line.count(" ") == 2 for line in lines)
    assert log.dropped == 0


def test_what_no_file_may_hold_spoils_none(tmp_path):
    from edgekd.curate.logs.read import read_log

    log = ServeLog(tmp_path, LogPolicy(KEY, full_share=1.0))
    log.record(Asked("r1", "half \ud800 a character", 1.0, "m"), {"label": "faq"})
    log.record(Asked("r2", "x" * 10_000_000, 1.0, "m"), {"label": "faq"})
    log.record(Asked("r3", "text", float("nan"), "m"), {"label": "faq"})
    log.record(Asked(None, "text", 1.0, "m"), {"label": "faq"})  # type: ignore[arg-type]
    log.close()
    (piece,) = read_log(tmp_path / "audit")
    assert [len(text) for text in piece.table["text"].to_pylist()] == [18, 20_000]
    assert log.dropped == 3  # NaN in both files, and a request without an id


def test_a_service_that_rested_begins_another_file(tmp_path, monkeypatch):
    log = Segments(tmp_path)
    log.put(lambda: b"one\n")
    log.flush()
    monkeypatch.setattr("edgekd.serve_log.segments._IDLE", 0.0)
    log.put(lambda: b"two\n")
    log.close()
    assert sorted(file.read_text() for file in tmp_path.rglob("*.jsonl")) == ["one\n", "two\n"]


def test_a_forked_child_neither_waits_nor_writes(tmp_path):
    log = Segments(tmp_path)
    with log._lock:  # as another thread may hold it at the fork
        child = os.fork()
        if not child:
            log.put(lambda: b"line\n")
            os._exit(17 if log.dropped == 1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 17
    log.close()
