from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import build_sample
import pytest
import sample_students as samples

from edgekd.bundle import make_bundle
from edgekd.config import Hardware, Target

GPU = Hardware(arch="x86_64", vendor="nvidia", gpu=True, vcpus=2, memory_mib=16384)
KINDS = {"openvino": "openvino-server", "onnxruntime": "triton", "aotinductor": "triton"}


@pytest.fixture(scope="session")
def compiled(graphs, tmp_path_factory):
    """Compile a sample student, each way once."""
    made = {}

    def compile_once(name: str, runtime: str, recipe: str):
        key = (name, runtime, recipe)
        if key not in made:
            hardware = GPU if runtime == "aotinductor" else build_sample.X86
            folder = tmp_path_factory.mktemp("artifacts") / ".".join(key)
            made[key] = build_sample.compile_sample(graphs[name], runtime, recipe, folder, hardware=hardware)
        return made[key]

    return compile_once


@pytest.fixture(scope="session")
def static_artifact(compiled):
    """A small static student on numpy."""
    return compiled("static", "numpy", "int8-tables")


@pytest.fixture(scope="session")
def texts():
    return samples.make_texts(120)


@pytest.fixture(scope="session")
def parse_pbtxt():
    """Parse by the message that Triton's own client ships; its package would import gRPC."""
    spec = importlib.util.find_spec("tritonclient")
    if spec is None:
        pytest.skip("tritonclient, of the extra dev, is not installed")
    path = Path(spec.submodule_search_locations[0]) / "grpc" / "model_config_pb2.py"
    inner = importlib.util.spec_from_file_location("model_config_pb2", path)
    module = importlib.util.module_from_spec(inner)
    inner.loader.exec_module(module)
    from google.protobuf import text_format

    return lambda text: text_format.Parse(text, module.ModelConfig())


def make_target(artifact, **changes) -> Target:
    hardware = GPU if artifact.runtime == "aotinductor" else build_sample.X86
    fields = {
        "name": "here",
        "hardware": hardware,
        "builds": [{"runtime": artifact.runtime, "recipe": artifact.recipe}],
        "bundle": KINDS[artifact.runtime],
    }
    return Target(**{**fields, **changes})


@pytest.fixture(scope="session")
def target_for():
    return make_target


@pytest.fixture(scope="session")
def bundled(compiled, texts, tmp_path_factory):
    """Bundle a compiled student, each once; returns the folder."""
    made = {}

    def bundle_once(name: str, runtime: str, recipe: str) -> Path:
        key = (name, runtime, recipe)
        if key not in made:
            artifact = compiled(*key)
            folder = tmp_path_factory.mktemp("bundles") / ".".join(key)
            made[key] = make_bundle(artifact, make_target(artifact), folder, texts, "card\n").path
        return made[key]

    return bundle_once


@dataclass(frozen=True)
class Triton:
    """A Triton Inference Server that is installed here, with the Python backend."""

    binary: Path
    environment: dict[str, str]
    options: tuple[str, ...]

    @contextmanager
    def serve(self, models: Path, *options: str) -> Iterator[str]:
        """Serve a model repository on a port of its own; gives the URL once the server is ready."""
        port = _free_port()
        command = [
            self.binary,
            f"--model-repository={models}",
            f"--http-port={port}",
            *self.options,
            *options,
        ]
        local = ("--http-address=127.0.0.1", "--allow-grpc=false", "--allow-metrics=false")
        log = models.parent / "server.log"
        with log.open("w", encoding="utf-8") as out:
            process = subprocess.Popen([*command, *local], env=self.environment, stdout=out, stderr=out)
            try:
                url = f"http://127.0.0.1:{port}"
                _wait(process, url, log)
                yield url
            finally:
                process.terminate()
                process.wait(60)


@pytest.fixture(scope="session")
def triton(tmp_path_factory) -> Triton:
    place = os.environ.get("EDGEKD_TRITON")
    if place:
        return _open_pytriton(Path(place).absolute(), tmp_path_factory.mktemp("backends"))
    binary = shutil.which("tritonserver")
    if binary is None:
        pytest.skip(
            "no tritonserver on PATH and EDGEKD_TRITON names no environment of PyTriton: make servers"
        )
    return Triton(Path(binary), dict(os.environ), ())


def _open_pytriton(place: Path, backends: Path) -> Triton:
    """Take the server out of an environment where nvidia-pytriton is installed."""
    found = sorted(place.glob("lib/python3*/site-packages/pytriton/tritonserver"))
    assert found, f"EDGEKD_TRITON: {place} is no environment where nvidia-pytriton is installed"
    server = found[0]
    version = server.parents[2].name.removeprefix("python")
    stub = server / "python_backend_stubs" / version / "triton_python_backend_stub"
    (backends / "python").mkdir()
    for path in (stub, *(server / "backends" / "python").iterdir()):
        (backends / "python" / path.name).symlink_to(path)
    ask = "import sysconfig; print(sysconfig.get_config_var('LIBDIR'))"
    library = subprocess.run(
        [place / "bin" / "python", "-c", ask], capture_output=True, text=True, check=True
    )
    environment = {
        **os.environ,
        "PATH": f"{place / 'bin'}:{os.environ['PATH']}",
        "LD_LIBRARY_PATH": library.stdout.strip(),
    }
    return Triton(server / "bin" / "tritonserver", environment, (f"--backend-directory={backends}",))


def _free_port() -> int:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _wait(process: subprocess.Popen, url: str, log: Path) -> None:
    import time

    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/v2/health/ready", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            pass
        time.sleep(0.2)
    lines = [line for line in log.read_text(encoding="utf-8").splitlines() if "ailed" in line]
    pytest.fail("\n".join(["tritonserver did not start:", *lines]))


@pytest.fixture
def ask():
    """Run a bundle's client in a process of its own, as its README says."""

    def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "client.py", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False, timeout=120)

    return run


@pytest.fixture(scope="session")
def mobile_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("mobile")
