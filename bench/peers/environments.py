"""Virtual environments of the peers: one for each set of pins, made from `requirements/`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from lineup import ENVIRONMENTS, HERE

# optimum-intel asks for it, and its registry build does not load beside the CPU build of torch.
_BREAKS = {"openvino": ("torchvision",)}


def make_environments(names: Iterable[str]) -> None:
    """Make those that are missing or whose requirements changed; an empty name is this environment."""
    for file in sorted(HERE / "requirements" / f"{name}.txt" for name in set(names) if name):
        folder = ENVIRONMENTS / file.stem
        done = folder / "requirements.txt"
        if done.is_file() and done.read_text(encoding="utf-8") == file.read_text(encoding="utf-8"):
            continue
        print(f"environment {file.stem}", flush=True)
        done.unlink(missing_ok=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        _install(folder, file)
        done.write_text(file.read_text(encoding="utf-8"), encoding="utf-8")


def _install(folder: Path, file: Path) -> None:
    """Torch first and alone: a looser range elsewhere would bring a build with gigabytes of CUDA."""
    pip = [str(folder / "bin" / "pip"), "--quiet", "--disable-pip-version-check"]
    torch = next(line for line in file.read_text(encoding="utf-8").splitlines() if line.startswith("torch=="))
    subprocess.run([*pip, "install", torch], check=True)
    subprocess.run([*pip, "install", "-r", file], check=True)
    for name in _BREAKS.get(file.stem, ()):
        subprocess.run([*pip, "uninstall", "--yes", name], check=True)
