import time

import pyarrow as pa
import pytest

from edgekd.curate.logs.pack import pack_log
from edgekd.curate.logs.read import read_log
from edgekd.errors import DataError
from edgekd.serve_log import Asked, LogPolicy, ServeLog

POLICY = LogPolicy(b"a key of twenty bytes", full_share=0.5, risky=("safety",))
NOON = 1_796_000_000.0
SAID = {"label": "faq", "probability": 0.8, "probabilities": {"faq": 0.8, "buy": 0.2}, "action": "answer"}


def write(folder, rows, start=0, now=NOON):
    log = ServeLog(folder, POLICY, clock=lambda: now)
    for number in range(start, start + rows):
        slices = ["safety"] if number % 10 == 0 else []
        log.record(Asked(f"r{number}", "ユニコード 📚", 1.5, "5f0c5f0c5f0c", slices, {"region": "eu"}), SAID)
    log.close()


def all_rows(folder, columns=None):
    tables = [piece.table for piece in read_log(folder, columns)]
    return pa.concat_tables(tables, promote_options="permissive")


def test_what_was_written_is_read_before_and_after_packing(tmp_path):
    write(tmp_path, 100)
    write(tmp_path, 50, start=100, now=NOON + 86_400)
    before = all_rows(tmp_path / "audit")
    found = pack_log(tmp_path / "audit", now=time.time() + 100)
    after = all_rows(tmp_path / "audit")
    assert (found.files, found.rows) == (2, before.num_rows)
    assert after.sort_by("request").to_pylist() == before.sort_by("request").to_pylist()
    assert set(after["text"].to_pylist()) == {"ユニコード 📚"}
    assert not list(tmp_path.glob("audit/*/*.jsonl"))
    assert all_rows(tmp_path / "hot", ["time", "nothing"]).column_names == ["time", "nothing"]


def test_rows_that_come_later_are_read_beside_packed_ones(tmp_path):
    write(tmp_path, 30)
    pack_log(tmp_path / "hot", now=time.time() + 100)
    write(tmp_path, 20, start=30)
    assert pack_log(tmp_path / "hot").files == 0  # a service may still write to them
    assert all_rows(tmp_path / "hot").num_rows == 50
    pack_log(tmp_path / "hot", now=time.time() + 100)
    assert all_rows(tmp_path / "hot").num_rows == 50


def test_a_pack_that_was_killed_doubles_nothing(tmp_path, monkeypatch):
    write(tmp_path, 40)

    def die(path):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.unlink", die)
        with pytest.raises(KeyboardInterrupt):
            pack_log(tmp_path / "hot", now=time.time() + 100)
    assert list(tmp_path.glob("hot/*/*.jsonl"))
    assert all_rows(tmp_path / "hot").num_rows == 40
    pack_log(tmp_path / "hot", now=time.time() + 100)
    assert all_rows(tmp_path / "hot").num_rows == 40
    assert not list(tmp_path.glob("hot/*/*.jsonl"))


def test_half_a_line_is_no_row_and_a_damaged_file_is_named(tmp_path):
    write(tmp_path, 5)
    (file,) = tmp_path.glob("hot/*/*.jsonl")
    with file.open("ab") as end:
        end.write(b'{"event": "answer", "ti')
    assert all_rows(tmp_path / "hot").num_rows == 5
    file.write_bytes(b"no json\n")
    with pytest.raises(DataError, match=r"is damaged: .*; move it away"):
        all_rows(tmp_path / "hot")
    file.unlink()
    with pytest.raises(DataError, match="is no log of a service"):
        list(read_log(tmp_path))
