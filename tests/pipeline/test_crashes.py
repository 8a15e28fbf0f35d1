"""What kills, rivals and full disks leave behind: nothing that the next run minds."""

import json
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from edgekd.compile import open_artifact
from edgekd.gate.ledger import read_ledger, verify_ledger
from edgekd.gate.promotion import current

pytestmark = pytest.mark.long
KILLS = 10
SEED = 3  # falls into both trainings and the measurement, among others
TWICE = "reference/teacher"  # of the validation rows, and of the test rows


def finished_stages(workspace: Path) -> dict[str, tuple[int, int]]:
    """Each finished stage's folder, with what tells that it is still the very same one."""
    found = {}
    for record in (workspace / "store").rglob("stage.json"):
        if ".partial" not in record.parent.name:
            folder, own = record.parent.stat(), record.stat()
            found[str(record.parent.relative_to(workspace))] = (folder.st_ino, own.st_mtime_ns)
    return found


def count_done(texts: list[str]) -> dict[str, int]:
    names = [line.partition(": done in ")[0] for text in texts for line in text.splitlines()]
    lines = [line for text in texts for line in text.splitlines()]
    done = [name for name, line in zip(names, lines, strict=True) if ": done in " in line]
    return {name: done.count(name) for name in done}


def moments(notes: tuple[tuple[float, str], ...], end: float) -> list[tuple[str, float]]:
    """Choose KILLS random moments of an undisturbed run, in order: after which line, how much later.

    One falls into each of so many stages, chosen at random; the writing of results at the end, where
    promotion is decided, gets two. Moments spread over time alone would nearly all fall into the
    longest stage.
    """
    rng = random.Random(SEED)
    built = [(at, line) for at, line in notes if ": done in " in line]
    starts = [(0.0, ""), *((at, line.partition(": ")[0] + ":") for at, line in built)]
    ends = [*(at for at, _ in built), end]
    chosen = sorted(rng.sample(range(len(built)), KILLS - 2))
    places = [*chosen, len(built), len(built)]
    found = []
    for place in places:
        seconds = ends[place] - starts[place][0]
        found.append((starts[place][1], rng.uniform(0, seconds)))
    return [*found[:-2], *sorted(found[-2:])]


def check_same_result(finished, workspace: Path, document: dict) -> None:
    assert document["artifacts"] == finished.document["artifacts"]
    assert (document["teacher"], document["students"]) == (
        finished.document["teacher"],
        finished.document["students"],
    )
    for target in ("cloud", "desk", "twin"):
        digest, place = current(workspace / "registry", "small", target)
        assert open_artifact(place).digest == digest
        expected = current(finished.registry, "small", target)[0]
        verdicts = [
            json.loads((Path(d["run"]) / "verdicts" / f"{target}.json").read_text(encoding="utf-8"))
            for d in (document, finished.document)
        ]
        is_tie = any(verdict["tie_with"] for verdict in verdicts)
        assert digest == expected or is_tie
        assert target == "cloud" or not is_tie


def test_ten_kills_repeat_nothing_and_change_nothing(finished_run, watch_edgekd):
    workspace = finished_run.folder / "killed"
    arguments = ("run", "project.yaml", "--json", "--set", "workspace=killed")
    known: dict[str, tuple[int, int]] = {}
    said, killed = [], 0
    for start, seconds in moments(finished_run.notes, finished_run.seconds):
        run = watch_edgekd(*arguments, cwd=finished_run.folder)
        code = run.kill_after(start, seconds)
        assert code in (-9, 0), run.stderr
        killed += code == -9
        said.append(run.stderr)
        now = finished_stages(workspace)
        assert now.items() >= known.items(), "a finished stage was built again"
        known = now
        for link in (workspace / "registry").rglob("current"):
            open_artifact(link)  # whatever is promoted is whole
    assert killed >= KILLS // 2  # on a machine faster than before, some come too late
    last = watch_edgekd(*arguments, cwd=finished_run.folder)
    assert last.finish() == 0, last.stderr
    assert finished_stages(workspace).items() >= known.items()
    counts = count_done([*said, last.stderr])
    assert counts.pop(TWICE, 0) <= 2
    assert set(counts.values()) == {1}  # said once each; a kill may swallow what was about to be said
    check_same_result(finished_run, workspace, json.loads(last.stdout))
    assert verify_ledger(workspace / "registry" / "ledger.jsonl") == 3
    assert not list((workspace / "store").rglob("*.partial"))
    assert not [p for p in (workspace / "runs").rglob("*") if p.name.endswith(".tmp")]
    shutil.rmtree(workspace)


def test_two_runs_at_once_share_the_work(finished_run):
    lines = [line for _, line in finished_run.notes]
    built = count_done(lines)
    assert {"teacher", "distil/static-256", "bench/1-threads"} <= set(built)
    assert built.pop(TWICE) == 2
    assert set(built.values()) == {1}  # each stage by one of the two
    for name in built:
        # and found by the other, which may have waited for it
        waited = f"{name}: built by another process in "
        assert f"{name}: cached" in lines or any(line.startswith(waited) for line in lines)
    for document in finished_run.documents:
        check_same_result(finished_run, finished_run.folder / ".edgekd", document)
    entries = read_ledger(finished_run.registry / "ledger.jsonl")
    assert [entry.target for entry in entries] == ["cloud", "desk", "twin"]


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 20 MiB, enough for the rows and not for a training."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=20m", "edgekd-test", str(place)],
            capture_output=True,
            check=False,
        ).returncode
    )
    if not mounted:
        pytest.skip("a small disk can only be mounted by root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_full_disk_is_one_line_and_the_next_run_goes_on(small_project, small_disk, run_edgekd):
    settings = ("--set", f"workspace={small_disk}", "--set", "teacher.training.epochs=1", "--json")
    done = run_edgekd("label", small_project, *settings)
    assert done.returncode == 4, done.stderr
    notes = ("data: ", "warning: ")  # which texts are alike, and what these rows cannot prove
    lines = [line for line in done.stderr.splitlines() if not line.startswith(notes)]
    errors = [line for line in lines if not line.endswith(" s")]
    assert len(errors) == 1
    assert "No space left on device" in errors[0] and "run again" in errors[0]
    assert str(small_disk) in errors[0]
    assert json.loads(done.stdout)["exit_code"] == 4
    subprocess.run(["mount", "-o", "remount,size=500m", str(small_disk)], check=True)
    done = run_edgekd("label", small_project, *settings)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[0] == "data: cached"
