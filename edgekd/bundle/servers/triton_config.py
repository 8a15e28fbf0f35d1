"""`config.pbtxt`, in the text form of Triton's `ModelConfig` message."""

from __future__ import annotations

import json
from collections.abc import Mapping

from edgekd.bundle.servers.beside import LABELS
from edgekd.bundle.servers.served import Served

# On a CPU a batch saves little: only what waits already is put together. A GPU is worth waiting for.
_CPU_BATCH = 8
_GPU_BUCKETS = (8, 16, 32, 64)
_GPU_WAIT_US = 200


def write_config(
    served: Served, backend: str, filename: str, parameters: Mapping[str, str], *, gpu: bool
) -> str:
    """Write the configuration for one backend; `filename` is what it opens in the version's folder.

    Texts are put together only where that does not change answers. Triton puts together requests of one
    shape: lengths are buckets by themselves, and no text is padded. Each instance answers a text of up to
    eight tokens before the server says that it is ready.
    """
    manifest, head = served.manifest, served.artifact.head
    warm = min(8, manifest["max_tokens"])
    given, found = json.dumps(manifest["input"]["name"]), json.dumps(manifest["output"]["name"])
    lines = [
        f"name: {json.dumps(served.name)}",
        f"backend: {json.dumps(backend)}",
        f"default_model_filename: {json.dumps(filename)}",
        f"max_batch_size: {largest_batch(served, gpu=gpu)}",
        f"input [{{ name: {given}, data_type: TYPE_INT64, dims: [ -1 ] }}]",
        "output [{",
        f"  name: {found}, data_type: TYPE_FP32, dims: [ {head.width} ]",
        *([f"  label_filename: {json.dumps(LABELS)}"] if head.labels else []),
        "}]",
        *_batching(served, gpu=gpu),
        _instances(served, gpu=gpu),
        "model_warmup [{",
        '  name: "one text", batch_size: 1',
        f"  inputs {{ key: {given}, value: {{ data_type: TYPE_INT64, dims: [ {warm} ], zero_data: true }} }}",
        "}]",
    ]
    lines += [
        f"parameters {{ key: {json.dumps(key)}, value: {{ string_value: {json.dumps(value)} }} }}"
        for key, value in sorted(parameters.items())
    ]
    return "\n".join(lines) + "\n"


def largest_batch(served: Served, *, gpu: bool) -> int:
    """Return how many texts may share a batch; 1 where sharing one was not shown to be harmless."""
    if not served.batching.is_harmless:
        return 1
    return _GPU_BUCKETS[-1] if gpu else _CPU_BATCH


def _batching(served: Served, *, gpu: bool) -> list[str]:
    if not served.batching.is_harmless:
        return []
    if not gpu:
        return ["dynamic_batching { max_queue_delay_microseconds: 0 }"]
    buckets = ", ".join(map(str, _GPU_BUCKETS))
    return [
        "dynamic_batching {",
        f"  preferred_batch_size: [ {buckets} ]",
        f"  max_queue_delay_microseconds: {_GPU_WAIT_US}",
        "}",
    ]


def _instances(served: Served, *, gpu: bool) -> str:
    if gpu:
        return "instance_group [{ count: 1, kind: KIND_GPU, gpus: [ 0 ] }]"
    return f"instance_group [{{ count: {count_instances(served, gpu=gpu)}, kind: KIND_CPU }}]"


def count_instances(served: Served, *, gpu: bool) -> int:
    """Return how many answer side by side; one where each would hold torch."""
    return 1 if gpu or served.artifact.runtime == "aotinductor" else served.instances
