"""Machine code by AOTInductor: one package for any batch and any length, on the GPU where there is one."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import os
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from edgekd.errors import ConfigError, ParityError
from edgekd.export import Graph
from edgekd.measure.environment import find_gpu


def compile_module(graph: Graph, path: Path, *, half: bool) -> None:
    """Write the package; it holds its weights and is bound to this torch and to this GPU's or CPU's kind.

    `half` computes in float16 (11 bits of significand; bfloat16 has 8 and would cost accuracy for a range
    that a classifier does not need); logits come out in float32 all the same.

    Raises:
        ConfigError: the graph is a file alone, not what a module was exported to; or torch here cannot
            use the GPU that is here.
        ParityError: what the compiler here made does not open in another process.
    """
    if graph.load is None:
        raise ConfigError(
            f"{graph.student}: AOTInductor compiles PyTorch modules; this is an ONNX file alone"
        )
    import torch
    from torch._inductor import aoti_compile_and_package

    from edgekd.distill.lean import make_lean

    if (gpu := find_gpu()) and not torch.cuda.is_available():
        raise ConfigError(f"torch {torch.__version__} cannot use {gpu}: install a build of torch with CUDA")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    example = torch.arange(1, 17).reshape(2, 8)
    module = make_lean(graph.load().eval(), example, graph.max_tokens).eval()
    module = copy.deepcopy(module).to(device, torch.float16 if half else torch.float32)
    any_size = {0: torch.export.Dim.AUTO, 1: torch.export.Dim.AUTO}
    with _quiet(), torch.no_grad():
        program = torch.export.export(module, (example.to(device),), dynamic_shapes=(any_size,))
        aoti_compile_and_package(program, package_path=str(path))
    check_opens(path)


def check_opens(path: Path) -> None:
    """Open a package in a fresh process: it is machine code, made by whatever compiler is in the path here.

    Raises:
        ParityError: it does not open there, be it that the process is killed.
    """
    opening = "import sys; from torch._inductor import aoti_load_package; aoti_load_package(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-P", "-W", "ignore", "-c", opening, str(path)],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if not done.returncode:
        return
    code = done.returncode
    lines = done.stderr.strip().splitlines()
    how = signal.Signals(-code).name if code < 0 else lines[-1][:200] if lines else f"exit code {code}"
    compiler = os.environ.get("CXX") or shutil.which("g++") or "no g++"
    raise ParityError(
        f"aotinductor: what was compiled here does not open in a fresh process ({how}); compile with the C++ "
        f"compiler that this torch was built for (here: {compiler})"
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the compiler's notes off the terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    void = io.StringIO()  # not a file: a logger that starts meanwhile keeps it, and must not find it closed
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(void),
            contextlib.redirect_stderr(void),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
