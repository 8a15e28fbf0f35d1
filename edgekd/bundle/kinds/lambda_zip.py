"""AWS Lambda: a zip with the handler, the model and the libraries that it needs, and a SAM template."""

from __future__ import annotations

import ast
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekd.bundle.archive import write_zip
from edgekd.bundle.bytecode import compile_bytecode
from edgekd.bundle.deciding import RUN
from edgekd.bundle.packages import needed_packages
from edgekd.compile import Artifact
from edgekd.config import Target
from edgekd.errors import BadInputError, MissingRuntimeError
from edgekd.resources import cache_folder
from edgekd.units import format_bytes
from edgekd.wheels.fetch import fetch_wheels, unpack_wheel
from edgekd.wheels.python import find_python

RUNTIMES = ("numpy", "onnxruntime", "litert")
HEADS = ("classify", "score", "tags", "rank")
POLICY = RUN
PYTHON = "3.13"
"""The platform's runtime that the zip is for (Amazon Linux 2023)."""
ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64"}
"""The platform's names of processors."""
MOST_UNZIPPED_BYTES = 250 << 20
"""The platform's limit, layers included (docs.aws.amazon.com/lambda: quotas)."""
MOST_MEMORY_MIB = 10_240

_TASK_ROOT = "/var/task/"
_RESPOND = "serving/respond.py"
_SOURCE = Path(__file__).parent.parent / "aws_lambda"


def build(artifact: Artifact, target: Target, folder: Path, texts: Sequence[str]) -> None:
    """Write `function.zip`, `template.yaml` and `README.md`.

    Raises:
        MissingRuntimeError: a wheel cannot be fetched, or no Python of the platform's version is here.
        BadInputError: what is unpacked would be over the platform's limit or the target's; or the artifact's
            loader is too old for the handler.
    """
    del texts
    if _RESPOND not in artifact.manifest["files"]:
        raise BadInputError(f"{artifact.path}: has no {_RESPOND}, which the handler calls; compile it again")
    python = find_python(PYTHON)
    if python is None:
        raise MissingRuntimeError(
            f"no Python {PYTHON} here to compile the bundle's modules with; install one (uv python install "
            f"{PYTHON}, pyenv install {PYTHON}) or put it on the PATH as python{PYTHON}"
        )
    wheels = fetch_wheels(needed_packages(artifact), target.hardware.arch, PYTHON, cache_folder("wheels"))
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        root = Path(temporary)
        for wheel in wheels:
            unpack_wheel(wheel, root)
        shutil.copyfile(_SOURCE / "lambda_function.py", root / "lambda_function.py")
        shutil.copytree(artifact.path, root / "model", ignore=shutil.ignore_patterns("__pycache__"))
        compile_bytecode(root, python, _TASK_ROOT)
        unzipped = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
        _check_size(target, unzipped)
        write_zip(root, folder / "function.zip")
    _write_pages(artifact, target, folder, unzipped)


def _check_size(target: Target, unzipped: int) -> None:
    own = target.limits.bundle_unzipped_mib
    limit = min(MOST_UNZIPPED_BYTES, int(own * 2**20) if own is not None else MOST_UNZIPPED_BYTES)
    if unzipped > limit:
        raise BadInputError(
            f"target {target.name}: the bundle is {format_bytes(unzipped)} unpacked, at most "
            f"{format_bytes(limit)} is allowed; choose a smaller student, runtime or recipe"
        )


def _write_pages(artifact: Artifact, target: Target, folder: Path, unzipped: int) -> None:
    words: dict[str, Any] = {
        "student": artifact.student,
        "python": PYTHON,
        "architecture": ARCHITECTURES[target.hardware.arch],
        "memory_mib": min(target.hardware.memory_mib, MOST_MEMORY_MIB),
        "unzipped": format_bytes(unzipped),
        "zipped": format_bytes((folder / "function.zip").stat().st_size),
        "description": json.dumps(
            f"{artifact.student}, {artifact.runtime} {artifact.recipe}, {artifact.digest[:12]}"
        ),
        "contract": ast.get_docstring(ast.parse((_SOURCE / "lambda_function.py").read_text("utf-8"))),
    }
    for name in ("template.yaml", "README.md"):
        text = (_SOURCE / name).read_text(encoding="utf-8").format(**words)
        (folder / name).write_text(text, encoding="utf-8")
