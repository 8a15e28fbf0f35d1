import zipfile
from pathlib import Path

import pytest

from edgekd.errors import MissingRuntimeError
from edgekd.wheels.fetch import unpack_wheel


def write_wheel(folder: Path, names: list[str]) -> Path:
    wheel = folder / "some-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, f"what lies in {name}, some length of it" * 20)
    return wheel


def test_what_runs_and_licences_are_unpacked_and_nothing_else(tmp_path: Path):
    names = ["some/__init__.py", "some/tests/test_a.py", "some/a.pyi"]
    names += ["some-1.0.dist-info/METADATA", "some-1.0.dist-info/licenses/LICENSE"]
    unpack_wheel(write_wheel(tmp_path, names), tmp_path / "out")
    found = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")}
    assert {"some/__init__.py"} <= found
    assert (tmp_path / "out/some-1.0.dist-info/licenses/LICENSE").is_file()
    assert not {"some/tests/test_a.py", "some/a.pyi", "some-1.0.dist-info/METADATA"} & found


@pytest.mark.parametrize("keep", [0, 30, 90])
def test_a_cut_wheel_is_one_line(keep: int, tmp_path: Path):
    wheel = write_wheel(tmp_path, ["some/__init__.py"])
    wheel.write_bytes(wheel.read_bytes()[:keep])
    with pytest.raises(MissingRuntimeError, match=r"some-1\.0-.*is damaged .*remove it"):
        unpack_wheel(wheel, tmp_path / "out")


def test_a_changed_byte_is_one_line(tmp_path: Path):
    wheel = write_wheel(tmp_path, ["some/__init__.py"])
    data = bytearray(wheel.read_bytes())
    data[60] ^= 0xFF
    wheel.write_bytes(data)
    with pytest.raises(MissingRuntimeError, match="is damaged"):
        unpack_wheel(wheel, tmp_path / "out")


def test_a_path_outside_is_refused(tmp_path: Path):
    with pytest.raises(MissingRuntimeError, match="not a path inside the wheel"):
        unpack_wheel(write_wheel(tmp_path, ["../outside.py"]), tmp_path / "out")
    assert not (tmp_path / "outside.py").exists()
