"""Mobile bundles of the sample students, labels with a bias, and their programs, built once for all tests."""

from __future__ import annotations

import functools
import importlib.util
import json
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import sample_students as samples
from biased import add_bias
from build_sample import compile_sample

from edgekd.bundle import make_bundle
from edgekd.compile import Artifact
from edgekd.config import load_target

TEXTS = samples.make_texts(300)
# A transformer on LiteRT takes seconds a bucket: texts of one length make two.
BUILDS = {
    "static-onnxruntime": ("small", "onnxruntime", "int4-tables", TEXTS[:60]),
    "cut-onnxruntime": ("cut", "onnxruntime", "int8-dynamic", TEXTS[:60]),
    "static-litert": ("small", "litert", "int4-tables", TEXTS[:60]),
    "cut-litert": ("cut", "litert", "int4-tables", ["where is my order"]),
}
OTHER_BUILDS = {
    "score-onnxruntime": ("scoring", "onnxruntime", "int8-dynamic", TEXTS[:60]),
    "score-litert": ("scoring-static", "litert", "int4-tables", TEXTS[:60]),
    "pairs-onnxruntime": ("ranking", "onnxruntime", "int8-dynamic", samples.make_requests(20)),
    "longest-onnxruntime": ("ranking", "onnxruntime", "int4-tables", samples.make_requests(20)),
    "towers-onnxruntime": ("ranking-static", "onnxruntime", "int4-tables", samples.make_requests(20)),
    "towers-litert": ("ranking-static", "litert", "int8-dynamic", samples.make_requests(20)),
}
"""Of models that do not answer with a label."""
LIBRARIES = {
    "onnxruntime": ("onnxruntime", "capi/libonnxruntime.so*"),
    "litert": ("ai_edge_litert", "libLiteRt.so"),
}


@dataclass(frozen=True)
class Made:
    """A bundle, the artifact in it, that artifact without its bias, and the C program."""

    path: Path
    artifact: Artifact
    plain: Artifact
    program: Path
    library: Path

    def run(
        self, *options: str, folder: Path | None = None, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        command = [self.program, self.library, folder or self.path, *options]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60)

    def answer(self, texts: list[str]) -> list[list[str]]:
        """Return the columns of each text's answer, all from one process."""
        done = self.run(stdin="".join(f"{json.dumps(text)}\n" for text in texts))
        assert done.returncode == 0, done.stderr
        return [line.split("\t") for line in done.stdout.splitlines()]


def find_library(runtime: str) -> Path:
    """Find the runtime's C library inside its Python package."""
    package, pattern = LIBRARIES[runtime]
    spec = importlib.util.find_spec(package)
    found = sorted(Path(spec.origin).parent.glob(pattern)) if spec and spec.origin else []
    if not found:
        pytest.skip(f"{package} is not here, or brings no {pattern} for C programs")
    return found[0]


def compile_program(bundle: Path, out: Path) -> Path:
    """Compile a bundle's C program as its page says, with every warning an error."""
    if shutil.which("gcc") is None:
        pytest.skip("no gcc here")
    sources = map(str, sorted((bundle / "reference").glob("*.c")))
    flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["gcc", *flags, *sources, "-o", str(out), "-ldl", "-lm"], check=True)
    return out


@functools.cache
def make(name: str, graphs: samples.Graphs, folder: Path) -> Made:
    student, runtime, recipe, calibration = {**BUILDS, **OTHER_BUILDS}[name]
    library, texts = find_library(runtime), TEXTS
    graph = graphs[student]
    if name.startswith("longest"):  # as of a model from elsewhere
        graph = replace(graph, head=graph.head._replace(cut="longest"))
    plain = artifact = compile_sample(graph, runtime, recipe, folder / name, texts=calibration)
    if plain.head.labels:
        artifact = add_bias(plain, folder / f"{name}.biased", TEXTS)
    if plain.head.name == "rank":
        texts = samples.make_requests(60)
    bundle = make_bundle(artifact, load_target("mobile-lowmem"), folder / f"{name}.bundle", texts, "# Card\n")
    program = compile_program(bundle.path, folder / f"{name}.program")
    return Made(bundle.path, artifact, plain, program, library)
