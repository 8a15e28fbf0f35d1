"""Against a real sshd on loopback."""

import dataclasses
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from loopback import free_port, run_sshd, why_not, write_client_config

from edgekd.errors import BadInputError, MeasurementError, MissingRuntimeError
from edgekd.measure.bench_file import load_bench
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.remote import link
from edgekd.measure.remote.ssh import open_ssh
from edgekd.measure.remote.start import PREFIX
from edgekd.measure.session import measure_subjects
from edgekd.measure.subject import Subject

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")
TEXTS = ["a text", "a longer text", "ümlaut, 漢字, \udce9 \n 'quoted' \"twice\" $HOME `x` \\", ""]
PYTHON = f"?python={sys.executable}"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sshd")
    (folder / "tmp").mkdir()
    with run_sshd(folder, [f"SetEnv TMPDIR={folder / 'tmp'}"]) as running:
        yield running


@pytest.fixture(autouse=True)
def _client(server, monkeypatch):
    monkeypatch.setenv("PATH", f"{server.folder / 'bin'}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture(autouse=True)
def _nothing_is_left(server):
    yield
    assert wait_for(lambda: not server.sessions), server.sessions
    # Where sshd was killed the agent is no child of its any more, and may still be tidying up.
    assert wait_for(lambda: not left_folders(server)), left_folders(server)


def left_folders(server):
    return sorted((server.folder / "tmp").glob(f"{PREFIX}*"))


def wait_for(condition, seconds=15):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def script(path, *lines):
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o700)
    return path


def test_figures_equal_those_measured_here(server, tmp_path):
    plan = MeasurePlan(rounds=2, seconds=0.1, warmup_seconds=0.01, block_ms=10.0)
    subjects = [Subject("spin", "subjects:spin", ("300",)), Subject("slow", "subjects:spin", ("900",))]
    here = measure_subjects(subjects, TEXTS, tmp_path / "here", plan)
    with open_ssh(server.url + PYTHON) as device:
        there = measure_subjects(subjects, TEXTS, tmp_path / "there", plan, device=device)
    assert there.environment.differences(here.environment) == ()
    assert there.subjects[0].args == here.subjects[0].args
    assert there.inputs_sha256 == here.inputs_sha256
    for ours, theirs in zip(here.samples("spin"), there.samples("spin"), strict=True):
        count = min(len(ours), len(theirs))
        assert count > 100
        assert np.array_equal(ours.inputs[:count], theirs.inputs[:count])
    for name in ("spin", "slow"):
        ratio = there.process_percentiles(name, 0.5) / here.process_percentiles(name, 0.5)
        assert ratio == pytest.approx(1, abs=0.02)
    assert dataclasses.replace(load_bench(tmp_path / "there"), folder=there.folder) == there


def test_a_folder_travels_once_and_is_used(server, tmp_path, small_plan):
    odd = tmp_path / "a 'folder' ü"
    (odd / "inner").mkdir(parents=True)
    (odd / "inner" / "label $x.txt").write_text("yes")
    (odd / "model").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").write_text("weights")
    subjects = [
        Subject("reads", "ssh_subjects:reads", (str(odd),)),
        Subject("1", "ssh_subjects:says", ("1",)),
    ]
    with open_ssh(server.url + PYTHON) as device:
        result = measure_subjects(subjects, TEXTS, tmp_path / "out", small_plan, device=device)
        [ours] = left_folders(server)
        assert ours.stat().st_mode & 0o777 == 0o700
        assert [path.name for path in ours.glob("given/*/*")] == [odd.name]
    for process in result.subject("reads").processes:
        answers = (tmp_path / "out" / process.answers).read_text()
        assert "{'label $x.txt': 'yes', 'model': 'weights'}" in answers
        assert str(ours) in answers
    assert result.subject("reads").args == (str(odd),)


@pytest.mark.long
def test_a_round_that_fails_brings_its_words_and_ends_no_session(server, tmp_path, small_plan):
    with open_ssh(server.url + PYTHON) as device:
        for factory, args, words in (
            ("subjects:raises_at_build", ("no weights",), "no weights"),
            ("subjects:none_later", ("3",), "answered None"),
            ("subjects:dies_by", ("SIGSEGV",), "killed by SIGSEGV"),
        ):
            with pytest.raises(MeasurementError, match=f"^ssh://device.*: bad: .*{words}") as caught:
                measure_subjects([Subject("bad", factory, args)], TEXTS, tmp_path, small_plan, device=device)
            assert "\n" not in str(caught.value)
        assert list((tmp_path / "stderr").iterdir())
        hangs, hasty = (
            Subject("hangs", "subjects:hangs", ("build",)),
            small_plan.__class__(timeout_seconds=0.5),
        )
        with pytest.raises(MeasurementError, match=r"no answer within 0.5 s while loading"):
            measure_subjects([hangs], TEXTS, tmp_path, hasty, device=device)
        with pytest.raises(BadInputError, match="1000 asked for"):
            device.quiet_cores(1000)
        result = measure_subjects([Subject("e", "subjects:echo")], TEXTS, tmp_path, small_plan, device=device)
        assert len(result.samples("e")) == 2


def read_proc(pid, name):
    """Read a file of /proc; of a process that has gone since it was listed, nothing."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def kill_ssh(server):
    """Kill the client: the process that asked for our session."""
    for pid in (int(path.name) for path in Path("/proc").glob("[0-9]*")):
        words = read_proc(pid, "cmdline").split(b"\0")
        if Path(os.fsdecode(words[0])).name == "ssh" and str(server.folder / "ssh_config").encode() in words:
            os.kill(pid, signal.SIGKILL)


def kill_sshd(server):
    """Kill sshd's processes of our session, not the one that listens."""
    for pid in server.sessions:
        if read_proc(pid, "comm").startswith(b"sshd"):
            with suppress(ProcessLookupError):  # with the one before it
                os.kill(pid, signal.SIGKILL)


def signal_agent(server, number):
    for pid in server.sessions:
        if b"edgekd.measure.remote.agent" in read_proc(pid, "cmdline"):
            os.kill(pid, number)


def end_agent(server):
    """End the agent as a machine that shuts down does."""
    signal_agent(server, signal.SIGTERM)


def kill_agent(server):
    signal_agent(server, signal.SIGKILL)


@contextmanager
def cut(server, pids, how):
    """Cut the connection as soon as the subject has written its process ids."""

    def act():
        if wait_for(pids.exists, 30):
            how(server)

    thread = threading.Thread(target=act)
    thread.start()
    try:
        yield
    finally:
        thread.join()


@pytest.mark.parametrize("how", [kill_ssh, kill_sshd, end_agent])
def test_a_cut_in_round_3_keeps_two_and_leaves_nothing(server, tmp_path, how):
    plan = MeasurePlan(rounds=4, seconds=0.02, warmup_seconds=0.0, block_ms=5.0)
    subjects = [
        Subject("echo", "subjects:echo"),
        Subject("hangs", "ssh_subjects:hangs_in_round", ("3", str(tmp_path / "seen"))),
    ]
    with open_ssh(server.url + PYTHON) as device, cut(server, tmp_path / "seen.pids", how):
        with pytest.raises(
            MeasurementError, match=r"cut while round 3 ran.*finished rounds are kept"
        ) as caught:
            measure_subjects(subjects, TEXTS, tmp_path / "out", plan, device=device)
        assert "\n" not in str(caught.value)
        with pytest.raises(MeasurementError, match="the connection is closed"):
            device.quiet_cores(1)
    pids = [int(word) for word in (tmp_path / "seen.pids").read_text().split()]
    assert len(pids) == 2 and wait_for(lambda: not any(map(is_running, pids)))
    kept = load_bench(tmp_path / "out")
    assert [len(subject.processes) for subject in kept.subjects] == [2, 2]
    assert "only 2 of 4 rounds finished" in kept.flags[0]
    assert all(len(kept.samples(name)) == 2 for name in ("echo", "hangs"))


def test_nothing_is_left_when_this_process_is_killed(server, tmp_path):
    code = f"""
from pathlib import Path
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.remote.ssh import open_ssh
from edgekd.measure.session import measure_subjects
from edgekd.measure.subject import Subject
subject = Subject("hangs", "ssh_subjects:hangs_in_round", ("2", {str(tmp_path / "seen")!r}))
plan = MeasurePlan(rounds=3, seconds=0.02)
with open_ssh({server.url + PYTHON!r}) as device:
    measure_subjects([subject], ["a"], Path({str(tmp_path / "out")!r}), plan, device=device)
"""
    ours = subprocess.Popen([sys.executable, "-c", code])
    try:
        assert wait_for((tmp_path / "seen.pids").exists, 30)
    finally:
        ours.kill()
        ours.wait()
    pids = [int(word) for word in (tmp_path / "seen.pids").read_text().split()]
    assert wait_for(lambda: not server.sessions) and wait_for(lambda: not any(map(is_running, pids)))
    assert len(load_bench(tmp_path / "out").subjects[0].processes) == 1


@pytest.mark.long
def test_a_killed_agent_leaves_no_process_and_the_next_session_its_folder(server, tmp_path):
    subject = Subject("hangs", "ssh_subjects:hangs_in_round", ("1", str(tmp_path / "seen")))
    with (
        open_ssh(server.url + PYTHON) as device,
        cut(server, tmp_path / "seen.pids", kill_agent),
        pytest.raises(MeasurementError, match="cut while round 1 ran"),
    ):
        measure_subjects([subject], TEXTS, tmp_path / "out", MeasurePlan(), device=device)
    pids = [int(word) for word in (tmp_path / "seen.pids").read_text().split()]
    assert wait_for(lambda: not any(map(is_running, pids)))
    [dead] = left_folders(server)
    with open_ssh(server.url + PYTHON):
        assert dead.exists()  # too young to be sure that no one is about to lock it
    os.utime(dead, (0, 0))
    with open_ssh(server.url + PYTHON), open_ssh(server.url + PYTHON):
        assert not dead.exists()
        for folder in left_folders(server):
            os.utime(folder, (0, 0))  # old, but in use
        with open_ssh(server.url + PYTHON):
            assert len(left_folders(server)) == 3


def test_a_missing_module_is_one_line_that_says_what_to_install(server, tmp_path, small_plan):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True, timeout=60)
    python = tmp_path / "bare" / "bin" / "python"
    with open_ssh(f"{server.url}?python={python}") as device:
        assert device.read_environment(1).libraries == ()
        with pytest.raises(MissingRuntimeError) as caught:
            measure_subjects(
                [Subject("model", "ssh_subjects:needs", ("numpy.linalg",))],
                TEXTS,
                tmp_path,
                small_plan,
                device=device,
            )
    assert str(caught.value).endswith(f"run there: {python} -m pip install numpy")
    assert str(caught.value).startswith("model: numpy is not installed on ssh://device")
    assert caught.value.exit_code == 3 and "\n" not in str(caught.value)


def test_a_login_shell_may_talk(server, tmp_path, small_plan):
    talk = script(
        tmp_path / "talk", "echo Welcome; printf 'no end of line'", 'exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"'
    )
    with run_sshd(tmp_path / "talking", [f"ForceCommand {talk}"]) as other:
        os.environ["PATH"] = f"{other.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        with open_ssh(other.url + PYTHON) as device:
            result = measure_subjects(
                [Subject("e", "subjects:echo")], TEXTS, tmp_path / "out", small_plan, device=device
            )
    assert len(result.samples("e")) == 2


def test_python_may_have_an_odd_path(server, tmp_path):
    odd = script(tmp_path / "my 'python' ü $x", f'exec {sys.executable} "$@"')
    with open_ssh(f"{server.url}?python={odd}") as device:
        assert device.quiet_cores(1)


def refused(url):
    with pytest.raises((BadInputError, MissingRuntimeError, MeasurementError)) as caught, open_ssh(url):
        pass
    assert "\n" not in str(caught.value) and str(caught.value).startswith(url.partition("?")[0])
    return caught.value


def test_no_python(server, tmp_path):
    error = refused(f"{server.url}?python={tmp_path}/none")
    assert error.exit_code == 3 and "cannot be run there" in str(error)
    error = refused(f"{server.url}?python=/bin/true")
    assert error.exit_code == 1 and "did not start there (exit code 0)" in str(error)


@pytest.mark.parametrize("name", ["python3.10", "python3.9", "python3.8", "python2.7"])
def test_an_old_python(server, name):
    found = next((path for path in Path.home().glob(f".pyenv/versions/*/bin/{name}")), shutil.which(name))
    if found is None:
        pytest.skip(f"no {name} here")
    error = refused(f"{server.url}?python={found}")
    assert error.exit_code == 3 and f"is Python {name.removeprefix('python')}, at least 3.11" in str(error)


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"UserKnownHostsFile": "/dev/null"}, 2, "key is not known here: connect once by hand (ssh device)"),
        (
            {"IdentityFile": "/dev/null"},
            2,
            "Permission denied (publickey); no key of yours is accepted there",
        ),
        ({"HostName": "no-such-host.invalid"}, 2, "check the name"),
        ({"NoSuchKey": "1"}, 2, "correct ssh's configuration"),
        ({"Port": "{free}"}, 3, "Connection refused; no ssh server listens there"),
    ],
)
def test_refusals(server, tmp_path, monkeypatch, changes, code, words):
    for name in ("user", "user.pub", "known_hosts"):
        shutil.copy(server.folder / name, tmp_path)
    (tmp_path / "user").chmod(0o600)
    changes = {key: value.replace("{free}", str(free_port())) for key, value in changes.items()}
    write_client_config(tmp_path, **{"port": server.port, **changes})
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    error = refused("ssh://device")
    assert error.exit_code == code and words in str(error)


def test_a_server_that_says_nothing(server, tmp_path, monkeypatch):
    options = (
        word.replace(f"ConnectTimeout={link.CONNECT_SECONDS}", "ConnectTimeout=2") for word in link._OPTIONS
    )
    monkeypatch.setattr(link, "_OPTIONS", tuple(options))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        write_client_config(tmp_path, silent.getsockname()[1])
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
        error = refused("ssh://device")
    assert error.exit_code == 3 and "timed out" in str(error) and "can be reached" in str(error)


def test_another_host_key(server, tmp_path, monkeypatch):
    shutil.copy(server.folder / "user", tmp_path)
    other = " ".join((server.folder / "user.pub").read_text().split()[:2])
    (tmp_path / "known_hosts").write_text(f"[127.0.0.1]:{server.port} {other}\n")
    write_client_config(tmp_path, server.port)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    error = refused("ssh://device")
    assert error.exit_code == 2 and "another machine, or someone in between" in str(error)


def test_no_ssh_here(server, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingRuntimeError, match="ssh is not installed here"), open_ssh(server.url):
        pass


@pytest.fixture
def small_disk(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", place], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {made.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_is_one_line(server, tmp_path, small_disk, small_plan):
    (tmp_path / "model").write_bytes(os.urandom(2 << 20))
    python = script(tmp_path / "python", f"export TMPDIR={small_disk}", f'exec {sys.executable} "$@"')
    with open_ssh(f"{server.url}?python={python}") as device:
        with pytest.raises(
            MeasurementError, match=r"model did not arrive.*No space left on device"
        ) as caught:
            measure_subjects(
                [Subject("reads", "ssh_subjects:reads", (str(tmp_path / "model"),))],
                TEXTS,
                tmp_path / "out",
                small_plan,
                device=device,
            )
        assert "\n" not in str(caught.value)
        assert device.quiet_cores(1)
    assert list(small_disk.iterdir()) == []
    (small_disk / "full").write_bytes(bytes(1 << 20)[: (1 << 20) - (8 << 10)])
    assert "cannot start there" in str(refused(f"{server.url}?python={python}"))
