"""A real Label Studio server keeps every row, rater and time that it is sent, and tells what people say."""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edgekd.curate.review.item import Judgment, read_items
from edgekd.curate.review.label_studio import read_items_of, read_tasks, write_config, write_tasks
from edgekd.curate.review.queue import plan_queue

pytestmark = pytest.mark.long
ROWS = 1000
TOKEN = "0123456789abcdef0123456789abcdef01234567"
USER = "ann@example.org"
ANSWERS = ['naïve & "quoted"', "漫画 🎌", "a <b>", "two words"]
TEXTS = [
    "where is my order?",
    "¿dónde está?\nsecond line",
    "漫画はどこ 🎌 ﷺ",
    "e\u0301 \u202eback\u200b",
    "<b>&amp;</b>",
]
SECONDS = 1800  # up in 50 s on a quiet machine; on a busy one it takes many times that


class Server:
    """Asks a running server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Token {TOKEN}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.loads(answer.read())

    def export(self, project: int):
        return self.ask(f"/api/projects/{project}/export?exportType=JSON&download_all_tasks=true")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    place = os.environ.get("EDGEKD_LABEL_STUDIO")
    if not place:
        pytest.skip("EDGEKD_LABEL_STUDIO names no environment of Label Studio: make label-studio")
    command = Path(place) / "bin" / "label-studio"
    assert command.exists(), f"EDGEKD_LABEL_STUDIO: {place} is no environment where label-studio is installed"
    folder = tmp_path_factory.mktemp("label-studio")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "DJANGO_DB": "sqlite",
        "LABEL_STUDIO_BASE_DATA_DIR": str(folder),
        "LABEL_STUDIO_USERNAME": USER,
        "LABEL_STUDIO_PASSWORD": "a password of a test",
        "LABEL_STUDIO_USER_TOKEN": TOKEN,
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "LABEL_STUDIO_LATEST_VERSION_CHECK": "false",
        "COLLECT_ANALYTICS": "false",
    }
    environment = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONWARNINGS")
    }
    words = [command.resolve(), "start", "--internal-host", "127.0.0.1", "--port", str(port), "--no-browser"]
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            words, env={**environment, **settings}, stdout=log, stderr=log, start_new_session=True, cwd=folder
        )
        try:
            wait(f"http://127.0.0.1:{port}/health", process, folder / "log.txt")
            yield Server(f"http://127.0.0.1:{port}")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)


def wait(url: str, process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
        time.sleep(1)
    raise AssertionError(f"no server after {SECONDS} s: {log.read_text(errors='replace')[-2000:]}")


def test_every_row_rater_and_time_comes_back(server):
    rng, start = random.Random(0), datetime(2026, 3, 2, tzinfo=UTC)
    rows = [
        {"id": f"r-{place} {rng.choice('é漫🎌')}", "text": f"{TEXTS[place % len(TEXTS)]} {place}",
         "answer": rng.choice(ANSWERS), "probability": rng.random(), "slice": rng.choice(["", "日本"]),
         "arrived": (start + timedelta(seconds=rng.randrange(10**6))).isoformat(), "order": f"o\"{place}"}
        for place in range(ROWS)
    ]  # fmt: skip
    queue = plan_queue(read_items(rows, "rows"), ROWS)
    told = [
        Judgment(
            item.id, rater, rng.choice(ANSWERS), start + timedelta(microseconds=rng.randrange(10**13)), took
        )
        for item in queue.items
        for rater, took in (("bob", rng.random() * 60), ("éve 漫", None))
    ]
    assert len(queue.items) == ROWS
    project = server.ask("/api/projects/", {"title": "review", "label_config": write_config(ANSWERS)})["id"]
    sent = server.ask(f"/api/projects/{project}/import", json.loads(write_tasks(queue, told)))
    assert sent["task_count"] == ROWS and sent["annotation_count"] == len(told)
    exported = server.export(project)
    assert sorted(read_tasks(exported, "export", {}), key=key) == sorted(told, key=key)
    assert sorted(read_items(read_items_of(exported, "export"), "export"), key=str) == sorted(
        queue.items, key=str
    )


def key(judgment: Judgment) -> tuple[str, str]:
    return judgment.row, judgment.rater


def test_what_a_person_says_there_is_read(server):
    queue = plan_queue(read_items([{"id": "1", "text": "漫画?", "answer": ANSWERS[0]}], "rows"), 1)
    project = server.ask("/api/projects/", {"title": "people", "label_config": write_config(ANSWERS)})["id"]
    server.ask(f"/api/projects/{project}/import", json.loads(write_tasks(queue)))
    (task,) = server.export(project)
    assert read_tasks([task], "export", {}) == []
    choice = {"from_name": "answer", "to_name": "text", "type": "choices", "value": {"choices": [ANSWERS[1]]}}
    before = datetime.now(UTC)
    server.ask(f"/api/tasks/{task['id']}/annotations/", {"result": [choice], "lead_time": 4.5})
    users = {user["id"]: user["email"] for user in server.ask("/api/users/")}
    (judgment,) = read_tasks(server.export(project), "export", users)
    assert (judgment.row, judgment.rater, judgment.answer, judgment.seconds) == ("1", USER, ANSWERS[1], 4.5)
    assert before - timedelta(seconds=1) <= judgment.time <= datetime.now(UTC) + timedelta(seconds=1)
