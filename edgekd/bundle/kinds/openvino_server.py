"""A model repository for OpenVINO Model Server."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekd.bundle.deciding import CLIENT
from edgekd.bundle.servers.beside import write_beside
from edgekd.bundle.servers.readme import describe_answer, describe_batching, describe_client, describe_request
from edgekd.bundle.servers.served import Served, open_served
from edgekd.compile import Artifact
from edgekd.config import Target
from edgekd.errors import BadInputError

RUNTIMES = ("openvino",)
HEADS = ("classify", "score", "tags", "rank")
POLICY = CLIENT


def build(artifact: Artifact, target: Target, folder: Path, texts: Sequence[str]) -> None:
    """Write `config.json`, the repository `models/`, and beside them what a client needs.

    Raises:
        BadInputError: a label cannot stand in a file of labels; or the first of two models is not OpenVINO's.
        MissingRuntimeError: OpenVINO is not installed here.
    """
    served = open_served(artifact, target, texts)
    other = next((one.artifact.runtime for one in served.parts if one.artifact.runtime not in RUNTIMES), None)
    if other is not None:
        raise BadInputError(
            f"{artifact.path}: its first model is of {other}, which OpenVINO Model Server does not run; "
            "leave that runtime out of the target's builds, or take the bundle lambda-zip"
        )
    for one in served.parts:
        model = Path(one.manifest["model"])
        version = folder / "models" / one.name / "1"
        version.mkdir(parents=True)
        for name in (model, model.with_suffix(".bin")):
            shutil.copyfile(one.artifact.path / name, version / name)
    text = json.dumps({"model_config_list": [{"config": _config(one)} for one in served.parts]}, indent=1)
    (folder / "config.json").write_text(text + "\n", encoding="utf-8")
    write_beside(served, folder, _read_inputs)
    inputs = _read_inputs(artifact)
    readme = (
        _describe(served, inputs)
        + describe_request(served, inputs)
        + describe_answer(served, POLICY)
        + "".join(describe_batching(one, _say_batches(one)) for one in served.parts)
        + describe_client(served)
    )
    (folder / "README.md").write_text(readme, encoding="utf-8")


def _say_batches(served: Served) -> str:
    if served.together > 1 and served.ranks:
        how = f"up to {served.together} of them in one request"
    else:
        how = "each alone, as it was measured and gated"
    return (
        f"The server puts no requests together; a client may ask for several {served.unit}s of one length in "
        f"one request. `client.py` asks for {how}."
    )


def _config(served: Served) -> dict[str, Any]:
    """Build what the server reads of a model: the session's settings as measured, streams for each instance.

    Without a precision hint OpenVINO would take bf16 where the CPU can, and answer otherwise than was
    measured.
    """
    streams = served.manifest.get("streams", 1)
    plugin = {
        "PERFORMANCE_HINT": "LATENCY" if streams == 1 else "THROUGHPUT",
        "NUM_STREAMS": str(served.instances * streams),
        "INFERENCE_NUM_THREADS": str(served.instances * served.target.threads),
        "INFERENCE_PRECISION_HINT": served.manifest["precision"]["INFERENCE_PRECISION_HINT"],
    }
    return {
        "name": served.name,
        "base_path": f"models/{served.name}",
        "target_device": "CPU",
        "nireq": served.instances * streams,
        "plugin_config": plugin,
    }


def _read_inputs(artifact: Artifact) -> list[str]:
    """Return the names of the model's inputs, ids first."""
    import openvino as ov

    path = artifact.path / artifact.manifest["model"]
    names = [port.get_any_name() for port in ov.Core().read_model(path).inputs]
    return sorted(names, key=lambda name: "mask" in name)


def _describe(served: Served, inputs: Sequence[str]) -> str:
    masked = (
        "`attention_mask` is 1 on every token of a text; padded with 0, texts of unlike length may share a\n"
        "request."
        if len(inputs) > 1
        else "The model takes no mask: texts in one request must be of one length, without padding."
    )
    version = served.manifest["provenance"].get("libraries", {}).get("openvino", "of the manifest")
    return f"""\
# {served.name} for OpenVINO Model Server

`models/` is the model repository that `config.json` names: `{served.name}`, ids in, logits out, on the CPU,
{served.instances} side by side, made for the target {served.target.name}. {served.named}
{masked}

## Start
```sh
ovms --config_path config.json --port 9000 --rest_port 8000
```

In the project's container image:

```sh
docker run --rm -p 8000:8000 -v "$PWD:/bundle:ro" openvino/model_server:latest \\
  --config_path /bundle/config.json --port 9000 --rest_port 8000
```

The model was made with OpenVINO {version}; take a server of that version or a later one. `base_path` is
relative to `config.json`; for a server that is too old to know this, write the whole path.

"""
