"""Fetch the wheels of another machine, and unpack what is needed of them to run."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from edgekd.errors import MissingRuntimeError

_GLIBC = ("2_17", "2_24", "2_27", "2_28")  # of Amazon Linux 2023: 2.34
# Nothing of it is imported when an artifact answers: tests, headers, type stubs, tools to make models.
_UNUSED = re.compile(
    r"(^|/)(tests?|_pyinstaller|include|testing)/"
    r"|\.(pyi|pxd|pyx|a|h|pc)$"
    r"|^numpy/(f2py|ma|fft|random|polynomial|doc|typing|ctypeslib)/"
    r"|^numpy/_core/(_simd|_\w+_tests)\."
    r"|^onnxruntime/(transformers|quantization|tools|datasets|backend)/"
    r"|^onnxruntime/capi/libonnxruntime\.so"
    r"|^ai_edge_litert/(tools|aot|vendors|compiler)/"
    r"|^\w[\w.-]*\.data/"
)


def fetch_wheels(packages: Mapping[str, str], arch: str, python: str, cache: Path) -> list[Path]:
    """Return the wheels of packages at their versions, for Linux on `arch`; kept in `cache`, sorted.

    Raises:
        MissingRuntimeError: one cannot be fetched, with pip's own words.
    """
    folder = cache / f"{arch}-{python}"
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for name, version in sorted(packages.items()):
        pattern = f"{name.replace('-', '_')}-{version}-*.whl"
        if not list(folder.glob(pattern)):
            _download(name, version, arch, python, folder)
        found.append(next(folder.glob(pattern)))
    return found


def _download(name: str, version: str, arch: str, python: str, folder: Path) -> None:
    platforms = [f"--platform=manylinux_{glibc}_{arch}" for glibc in _GLIBC]
    platforms.append(f"--platform=manylinux2014_{arch}")
    command = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--implementation=cp", f"--python-version={python}", *platforms]
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        command += ["-d", temporary, f"{name}=={version}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = list(Path(temporary).glob("*.whl"))
        if done.returncode or not wheels:
            lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["no message"]
            raise MissingRuntimeError(
                f"{name} {version} for {arch} and Python {python} cannot be fetched: {lines[-1]:.200}"
            )
        wheels[0].rename(folder / wheels[0].name)


def unpack_wheel(wheel: Path, folder: Path) -> None:
    """Unpack what runs of a wheel, and its licences.

    Raises:
        MissingRuntimeError: the file is damaged, or names a path outside the folder.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            _unpack(archive, wheel.name, folder)
    except (zipfile.BadZipFile, zlib.error) as error:
        raise MissingRuntimeError(
            f"{wheel}: is damaged ({error}); remove it, and it is fetched again"
        ) from None


def _unpack(archive: zipfile.ZipFile, wheel: str, folder: Path) -> None:
    for entry in archive.infolist():
        name = entry.filename
        is_licence = re.search(r"\.dist-info/.*licen[cs]e", name, re.IGNORECASE) is not None
        if entry.is_dir() or (".dist-info/" in name and not is_licence):
            continue
        if _UNUSED.search(name) and not is_licence:
            continue
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise MissingRuntimeError(f"{wheel}: {name!r} is not a path inside the wheel")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(archive.read(entry))
