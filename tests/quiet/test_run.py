"""A run and all that it starts keep to their own folders, call no machine and leave no process behind."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import traced
import yaml

from edgekd import quiet
from edgekd.serving import quiet as of_artifacts

BUILDS = ("{runtime: onnxruntime, recipe: int8-dynamic}", "{runtime: openvino, recipe: int8-nncf}")
TARGET = """\
name: traced
hardware: {{arch: x86_64, isa: [avx2, avx512_vnni], vcpus: 1, memory_mib: 1769}}
builds: [{builds}]
objective: p95_ms
"""


@pytest.fixture
def project(finished_run, tmp_path) -> Path:
    """A copy of the finished project, for a target of OpenVINO's and ONNX Runtime's builds."""
    folder = finished_run.copy(tmp_path / "project")
    (folder / "targets" / "traced.yaml").write_text(TARGET.format(builds=", ".join(BUILDS)), encoding="utf-8")
    settings = yaml.safe_load((folder / "project.yaml").read_text(encoding="utf-8"))
    settings["targets"] = ["traced"]
    settings["measure"]["pytorch"] = True
    (folder / "project.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return folder


def test_artifacts_switch_off_a_part_of_what_the_product_does():
    assert of_artifacts.VARIABLES.items() <= quiet.VARIABLES.items()
    assert set(of_artifacts.BLOCKED) <= set(quiet.BLOCKED)


def test_it_is_off_before_any_library_is_imported(tmp_path):
    code = "import edgekd, os, sys; print([os.environ.get(k) for k in sys.argv[1:]], len(sys.modules))"
    command = [sys.executable, "-c", code, *quiet.VARIABLES]
    shell = {**traced.environment(tmp_path), "ORT_DISABLE_TELEMETRY": "0"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=shell)
    assert done.stdout.startswith(str(list(quiet.VARIABLES.values())))
    assert int(done.stdout.split()[-1]) < 150  # no library of ours or others


@pytest.mark.long
@pytest.mark.openvino
def test_a_run_writes_calls_and_forks_nothing(project, tmp_path):
    pytest.importorskip("nncf")
    command = [sys.executable, "-B", "-m", "edgekd", "run", "project.yaml"]
    seen = traced.trace(command, project, tmp_path / "traced")
    assert "traced: " in seen.said
    benches = project.glob(".edgekd/runs/*/evidence/bench/1-threads/bench.json")
    assert any('"teacher.pytorch-eager"' in bench.read_text(encoding="utf-8") for bench in benches)
    assert (seen.written, seen.hosts, seen.forked) == (set(), set(), 0)


# The helper is worth its start at one artifact, and forks a child that ignores every signal but one.
HELPED = """
import sys
from edgekd.engines import processes
processes.WORTH = 1
from edgekd.cli.main import main
sys.argv = ["edgekd", "compile", "project.yaml"]
main()
"""
STUCK = """
import os, signal, sys, time
if "edgekd.engines.helper" in sys.orig_argv and os.fork() == 0:
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
    time.sleep(600)
    os._exit(0)
"""


def marked(mark: str) -> dict[int, str]:
    """Every living process whose environment holds the mark: its command."""
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and mark in (folder / "environ").read_text(errors="replace"):
                is_dead = (folder / "stat").read_text().rpartition(")")[2].split()[0] in "ZX"
                words = (folder / "cmdline").read_text(errors="replace").replace("\0", " ")
                found |= {} if is_dead else {int(folder.name): words}
        except OSError:
            continue
    return found


def wait_until(is_so, seconds=120):
    until = time.monotonic() + seconds
    while not is_so() and time.monotonic() < until:
        time.sleep(0.02)
    return is_so()


def heed_interrupts():
    """Undo what a shell does to a command in its background: it has SIGINT ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.long
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="a helper needs a second core")
@pytest.mark.parametrize("end", [None, signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_of_a_run_however_it_ends(project, tmp_path, end):
    shutil.rmtree(project / ".edgekd" / "store" / "compile")
    (tmp_path / "stuck").mkdir()
    (tmp_path / "stuck" / "sitecustomize.py").write_text(STUCK, encoding="utf-8")
    mark = f"EDGEKD_TEST_MARK={tmp_path}"
    paths = os.pathsep.join([str(tmp_path / "stuck"), *filter(None, [os.environ.get("PYTHONPATH")])])
    shell = {**os.environ, "PYTHONPATH": paths, "EDGEKD_TEST_MARK": str(tmp_path), "PYTHONWARNINGS": "ignore"}
    run = subprocess.Popen(
        [sys.executable, "-c", HELPED],
        cwd=project,
        env=shell,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=heed_interrupts,
    )

    def is_helped() -> bool:
        helpers = [number for number, words in marked(mark).items() if "edgekd.engines.helper" in words]
        return run.poll() is not None or (len(helpers) >= 2 and any(map(is_armed, helpers)))

    assert wait_until(is_helped) and run.poll() is None, run.communicate()
    if end is not None:
        run.send_signal(end)
    _, said = run.communicate(timeout=300)
    assert run.returncode == {None: 0, signal.SIGINT: 130}.get(end, -(end or 0)), said
    assert wait_until(lambda: not marked(mark), 10), marked(mark)


def is_armed(number: int) -> bool:
    """Whether a helper's stdin signals its end (O_ASYNC), as it does once the helper has read the project."""
    try:
        flags = Path(f"/proc/{number}/fdinfo/0").read_text().partition("flags:")[2].split()[0]
    except (OSError, IndexError):
        return False
    return bool(int(flags, 8) & os.O_ASYNC)
