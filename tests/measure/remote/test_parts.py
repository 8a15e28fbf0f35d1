"""The parts of a connection to a device that need no connection."""

import contextlib
import io
import os
import subprocess
import sys
import tarfile
import threading
import zipfile

import pytest

from edgekd.errors import BadInputError
from edgekd.measure.remote.link import SHIPPED, pack_code
from edgekd.measure.remote.tar_stream import digest, pack, unpack
from edgekd.measure.remote.url import SshUrl, parse_ssh_url
from edgekd.measure.remote.wire import ChunkSink, ChunkSource, Wire


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ssh://board", ("board", None, None, "python3")),
        ("ssh://Board-1.local/", ("Board-1.local", None, None, "python3")),
        ("ssh://pi@board:2222", ("board", "pi", 2222, "python3")),
        ("ssh://a%40b@[fe80::1%eth0]:22", ("fe80::1%eth0", "a@b", 22, "python3")),
        ("ssh://board?python=/opt/c++/bin/python", ("board", None, None, "/opt/c++/bin/python")),
        ("ssh://board?python=~/my%20env/bin/python", ("board", None, None, "my env/bin/python")),
    ],
)
def test_urls(text, expected):
    assert parse_ssh_url(text) == SshUrl(text, *expected)


@pytest.mark.parametrize(
    "text",
    [
        *("", "board", "ssh://", "ssh:///path", "http://board", "ssh://a b", "ssh://board\n", "ssh://$(x)"),
        *("ssh://-oProxyCommand=x", "ssh://-l@board", "ssh://%2Dl@board", "ssh://a@b@c", "ssh://board#x"),
        *(
            "ssh://board:0",
            "ssh://board:65536",
            "ssh://board:port",
            "ssh://board/path",
            "ssh://board?shell=x",
        ),
        *("ssh://board?python=", "ssh://board?python=-c", "ssh://board?python=a%0Ab"),
    ],
)
def test_bad_urls(text):
    with pytest.raises(BadInputError) as caught:
        parse_ssh_url(text)
    assert "\n" not in str(caught.value)


def test_a_password_is_refused_and_not_repeated():
    with pytest.raises(BadInputError) as caught:
        parse_ssh_url("ssh://pi:secret@board")
    assert "secret" not in str(caught.value) and "key" in str(caught.value)


def test_what_is_shipped_runs_on_the_standard_library_alone(tmp_path):
    _, modules = pack_code()
    zipfile.ZipFile(io.BytesIO(modules)).extractall(tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r});"
        "import edgekd.measure.remote.agent, edgekd.measure.remote.job, edgekd.measure.worker;"
        "print(*sys.modules)"
    )
    said = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    loaded = {name for name in said.stdout.split() if name.partition(".")[0] not in sys.stdlib_module_names}
    shipped = {name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in SHIPPED}
    opened_later = {"serving", "shipped"}
    expected = {"edgekd" if name == "__init__" else f"edgekd.{name}" for name in shipped - opened_later}
    loaded -= {"openvino_telemetry"}  # None in its place: it cannot be imported
    assert loaded - {"__main__", "edgekd.measure.remote"} == expected - {"edgekd.measure.remote"}
    assert (tmp_path / "edgekd" / "serving" / "subject.py").exists()


def make_odd(folder):
    (folder / "empty").mkdir(parents=True)
    for name in ("-dash", "new\nline", "ü漢", os.fsdecode(b"latin-\xe9"), "sp ace", "q'\"$`", "x" * 200):
        (folder / name).write_bytes(name.encode("utf-8", "surrogateescape"))
    (folder / "run").write_text("#!/bin/sh")
    (folder / "run").chmod(0o700)
    (folder / "large").write_bytes(os.urandom(700_000))
    (folder / "link").symlink_to(folder / "empty")
    return folder


def test_files_arrive_whatever_they_are_called(tmp_path):
    odd, stream = make_odd(tmp_path / "odd"), io.BytesIO()
    pack(stream, {"there": odd})
    stream.seek(0)
    (tmp_path / "new").mkdir()
    found = unpack(stream, tmp_path / "new")
    there = tmp_path / "new" / "there"
    assert len(found) == 9 and digest(there) == digest(odd)
    assert os.access(there / "run", os.X_OK) and not os.access(there / "large", os.X_OK)
    assert (there / "link").is_dir() and not (there / "link").is_symlink()
    before = digest(there)
    (there / "empty").rmdir()
    assert digest(there) != before


def test_what_cannot_travel_is_named(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadInputError, match="pipe: neither a file nor a folder"):
        digest(tmp_path)
    (tmp_path / "pipe").unlink()
    (tmp_path / "loop").symlink_to(tmp_path)
    with pytest.raises(BadInputError, match="loop: a link to a folder that it lies in"):
        digest(tmp_path)


@pytest.mark.parametrize(
    ("name", "kind", "target"),
    [
        ("../x", tarfile.REGTYPE, ""),
        ("/x", tarfile.REGTYPE, ""),
        ("latency/../../x", tarfile.REGTYPE, ""),
        ("latency/x", tarfile.SYMTYPE, "/etc/passwd"),
        ("latency/x", tarfile.LNKTYPE, "latency/y"),
        ("latency/x", tarfile.FIFOTYPE, ""),
        ("bench.json", tarfile.REGTYPE, ""),
        ("latency", tarfile.REGTYPE, ""),
        ("latency/a/b", tarfile.REGTYPE, ""),
        ("other", tarfile.DIRTYPE, ""),
    ],
)
def test_a_device_writes_nowhere_else(tmp_path, name, kind, target):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, target
        tar.addfile(member)
    stream.seek(0)
    (tmp_path / "out").mkdir()
    with pytest.raises(ValueError, match="is not"):
        unpack(stream, tmp_path / "out", ("latency", "stderr"))
    assert list(tmp_path.rglob("*")) == [tmp_path / "out"]


@pytest.fixture
def wires():
    pipes = [os.pipe(), os.pipe()]
    yield Wire(pipes[0][0], pipes[1][1], 0.2), Wire(pipes[1][0], pipes[0][1], 0.2)
    for end in (end for pipe in pipes for end in pipe):
        with contextlib.suppress(OSError):
            os.close(end)


def test_lines_and_streams_follow_each_other(wires):
    ours, theirs = wires
    data = os.urandom(3_000_001)

    def talk():
        theirs.beat()
        theirs.send({"a": "ü\ud800"})
        sink = ChunkSink(theirs)
        sink.write(data)
        sink.end()
        theirs.send({"b": 1})

    thread = threading.Thread(target=talk)
    thread.start()
    assert ours.receive() == {"a": "ü\ud800"}
    stream = ChunkSource(ours)
    assert stream.read(10) == data[:10]
    parts = [data[:10]]
    while part := stream.read(1 << 20):
        parts.append(part)
    thread.join()
    assert b"".join(parts) == data
    assert ours.receive() == {"b": 1}


def test_silence_and_an_end_are_told_apart(wires):
    ours, theirs = wires
    with pytest.raises(TimeoutError, match=r"nothing moved for 0.2 s"):
        ours.read_line()
    with pytest.raises(TimeoutError):
        ours.write(bytes(10_000_000))
    theirs.write(b"half a li")
    os.close(theirs._sink)
    with pytest.raises(ConnectionResetError):
        ours.read_line()


def test_nonsense_is_a_value_error(wires):
    ours, theirs = wires
    theirs.write(b"[1]\n")
    with pytest.raises(ValueError, match="expected a JSON object"):
        ours.receive()
    theirs.write(b"\xff\xff\xff\xff")
    with pytest.raises(ValueError, match="a chunk of"):
        ChunkSource(ours).read(1)
