"""A model repository for Triton Inference Server."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from edgekd.bundle.deciding import CLIENT
from edgekd.bundle.servers.beside import write_beside, write_labels
from edgekd.bundle.servers.readme import describe_answer, describe_batching, describe_client, describe_request
from edgekd.bundle.servers.served import Served, open_served
from edgekd.bundle.servers.triton_config import count_instances, largest_batch, write_config
from edgekd.compile import Artifact
from edgekd.config import Target

RUNTIMES = ("onnxruntime", "aotinductor")
HEADS = ("classify", "score", "tags", "rank")
POLICY = CLIENT

_MODEL = "model.py"


def build(artifact: Artifact, target: Target, folder: Path, texts: Sequence[str]) -> None:
    """Write the repository `models/`, and beside it what a client needs.

    ONNX is run by Triton's ONNX Runtime backend; a second configuration runs it by the Python backend.
    Machine code of AOTInductor needs the very torch that made it, so the Python backend runs it.

    Raises:
        BadInputError: a label cannot stand in a file of labels.
        MissingRuntimeError: the artifact does not run here.
    """
    served = open_served(artifact, target, texts)
    for one in served.parts:
        _write_model(one, folder / "models" / one.name)
    write_beside(served, folder, _name_inputs)
    gpu = _is_for_gpu(artifact)
    readme = (
        _describe(served, gpu=gpu)
        + describe_request(served, _name_inputs(artifact))
        + describe_answer(served, POLICY)
        + "".join(
            describe_batching(one, _say_batches(one, largest_batch(one, gpu=gpu))) for one in served.parts
        )
        + describe_client(served)
    )
    (folder / "README.md").write_text(readme, encoding="utf-8")


def _name_inputs(artifact: Artifact) -> list[str]:
    return [artifact.manifest["input"]["name"]]


def _write_model(served: Served, place: Path) -> None:
    """Write one model's folder; where ONNX Runtime is not its engine, the Python backend runs it."""
    artifact, threads = served.artifact, str(served.target.threads)
    gpu = _is_for_gpu(artifact)
    write_python_model(served, place)
    config = write_config(served, "python", _MODEL, {"threads": threads}, gpu=gpu)
    if artifact.runtime == "onnxruntime":
        (place / "configs").mkdir()
        (place / "configs" / "python.pbtxt").write_text(config, encoding="utf-8")
        counts = {"intra_op_thread_count": threads, "inter_op_thread_count": "1"}
        config = write_config(served, "onnxruntime", artifact.manifest["model"], counts, gpu=gpu)
    (place / "config.pbtxt").write_text(config, encoding="utf-8")


def write_python_model(served: Served, place: Path) -> None:
    """Write the model's folder without its configuration: labels, and the artifact as version 1."""
    place.mkdir(parents=True)
    write_labels(served, place)
    leave = shutil.ignore_patterns("__pycache__")
    shutil.copytree(served.artifact.path, place / "1", ignore=leave)
    shutil.copytree(served.loader, place / "1" / "serving", ignore=leave, dirs_exist_ok=True)
    source = Path(__file__).parent.parent / "servers" / "triton_model.py"
    shutil.copyfile(source, place / "1" / _MODEL)


def _say_batches(served: Served, largest: int) -> str:
    if largest > 1:
        asked = f" `client.py` asks for up to {served.together} in one request." if served.ranks else ""
        put = f"So the server may put up to {largest} requests together: those of one length, none padded."
        return put + asked
    return f"So `max_batch_size` is 1: each {served.unit} is answered alone, as it was measured and gated."


def _is_for_gpu(artifact: Artifact) -> bool:
    if artifact.runtime != "aotinductor":
        return False
    from torch._inductor import aoti_load_package

    package = aoti_load_package(str(artifact.path / artifact.manifest["model"]))
    return bool(package.get_metadata()["AOTI_DEVICE_KEY"] == "cuda")


def _describe(served: Served, *, gpu: bool) -> str:
    libraries = served.manifest["provenance"].get("libraries", {})
    engine = {"onnxruntime": "onnxruntime", "aotinductor": "torch"}[served.artifact.runtime]
    version = libraries.get(engine, "")
    needed = f"numpy {engine}=={version}" if version else f"numpy {engine}"
    device = "one NVIDIA GPU" if gpu else f"the CPU, {count_instances(served, gpu=gpu)} side by side"
    head = f"""\
# {served.name} for Triton Inference Server

`models/` is a model repository: `{served.name}`, ids in, logits out, on {device}, made for the target
{served.target.name}. {served.named}

## Start
"""
    if served.artifact.runtime == "onnxruntime":
        return f"""{head}\
```sh
ORT_DISABLE_TELEMETRY=1 tritonserver --model-repository="$PWD/models"
```

The variable keeps ONNX Runtime from sending events to its maker. In NVIDIA's container image (IMAGE is the
name of one that has the ONNX Runtime backend):

```sh
docker run --rm -p 8000:8000 -e ORT_DISABLE_TELEMETRY=1 -v "$PWD/models:/models:ro" IMAGE \\
  tritonserver --model-repository=/models
```

The model was made for ONNX Runtime {version}; an older one may not know its operators. Where Triton has the
Python backend alone, or that engine should run which was measured, install `{needed}`
for the server's Python and take the other configuration:

```sh
ORT_DISABLE_TELEMETRY=1 tritonserver --model-repository="$PWD/models" --model-config-name=python
```

"""
    return f"""{head}\
The Python backend runs it, for the machine code needs the torch that made it. Install `{needed}` for the
server's Python, on {"the kind of GPU" if gpu else "the kind of CPU"} that it was compiled on:

```sh
tritonserver --model-repository="$PWD/models"
```

"""
