"""Fetch QEMU and an arm64 Python with its wheels into a folder, from Debian and the package index."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from edgekd.emulate.machine import PYTHON
from edgekd.errors import MissingRuntimeError

# The first Debian whose QEMU runs ONNX Runtime right (7.2 of the one before crashes, or answers wrongly).
_SUITE = "trixie"
_ARM64 = ("python3-minimal", "libpython3-stdlib", "libstdc++6")
_WHEELS = ("numpy", "tokenizers", "onnxruntime", "ai-edge-litert")
_PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux2014_aarch64")


def prepare(folder: Path) -> None:
    """Fill the folder: about 170 MB to fetch, half a gigabyte on disk; takes a minute.

    Raises:
        MissingRuntimeError: apt-get is not here, or something cannot be fetched.
    """
    if shutil.which("apt-get") is None:
        raise MissingRuntimeError(
            f"no apt-get here; put qemu-x86_64 and qemu-aarch64 (version 10) into {folder} yourself"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        work, made = Path(temporary), Path(temporary) / "made"
        apt = _open_apt(work)
        root = made / "arm64"
        for package in _download(apt, work, ["qemu-user:amd64"], with_needs=False):
            _run("dpkg", "-x", str(package), str(work / "qemu"))
        root.mkdir(parents=True)
        for name in ("qemu-x86_64", "qemu-aarch64"):
            shutil.copy2(work / "qemu" / "usr" / "bin" / name, made / name)
        for package in _download(apt, work, list(_ARM64), with_needs=True):
            if package.name.startswith(("lib", "python3", "zlib")):
                _run("dpkg", "-x", str(package), str(root))
        (root / "lib").symlink_to("usr/lib")
        _fetch_wheels(work / "wheels", root / "site")
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)


def _open_apt(work: Path) -> list[str]:
    """Give apt-get lists of its own, so that the machine's are left alone."""
    sources = [*Path("/etc/apt").glob("sources.list*"), *Path("/etc/apt/sources.list.d").glob("*")]
    text = "\n".join(path.read_text("utf-8") for path in sources if path.is_file())
    found = re.search(r"https?://\S+/debian\b", re.sub(r"#.*", "", text))
    for name in ("lists/partial", "cache/archives/partial"):
        (work / "apt" / name).mkdir(parents=True)
    (work / "apt" / "status").touch()
    host = found.group() if found else "http://deb.debian.org/debian"
    key = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (work / "apt" / "sources").write_text(f"deb [signed-by={key}] {host} {_SUITE} main\n")
    settings = {
        "Dir::Etc::sourcelist": work / "apt" / "sources",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State": work / "apt",
        "Dir::State::status": work / "apt" / "status",
        "Dir::Cache": work / "apt" / "cache",
        "APT::Sandbox::User": "root",
        "APT::Update::Error-Mode": "any",
    }
    apt = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in settings.items())]
    _run(*apt, "-oAPT::Architectures::=amd64", "-oAPT::Architectures::=arm64", "update")
    return apt


def _download(apt: list[str], work: Path, names: list[str], *, with_needs: bool) -> list[Path]:
    folder = work / "apt" / "cache" / "archives"
    if with_needs:
        arm = ["-oAPT::Architecture=arm64", "-oAPT::Architectures=arm64", "--no-install-recommends"]
        _run(*apt, *arm, "install", "-y", "--download-only", *names)
    else:
        folder = work / "alone"
        folder.mkdir()
        both = ["-oAPT::Architectures::=amd64", "-oAPT::Architectures::=arm64"]
        _run(*apt, *both, "download", *names, cwd=folder)
    return sorted(folder.glob("*.deb"))


def _fetch_wheels(folder: Path, site: Path) -> None:
    """Fetch the versions that this process has, so that only the machine differs."""
    wanted = []
    for name in _WHEELS:
        try:
            wanted.append(f"{name}=={importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    platforms = [f"--platform={name}" for name in _PLATFORMS]
    version = PYTHON.removeprefix("python")
    only = ["--no-deps", "--only-binary=:all:", "--implementation=cp", f"--python-version={version}"]
    _run(sys.executable, "-m", "pip", "download", "-q", *only, *platforms, "-d", str(folder), *wanted)
    for wheel in sorted(folder.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)


def _run(*command: str, cwd: Path | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise MissingRuntimeError(f"{' '.join(command[:1])} {command[-1]}: {lines[-1]:.300}")
