"""Forms of a teacher that may label in its place."""

from __future__ import annotations

from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from edgekd.export.graph import Graph
from edgekd.pipeline.needs import EXPORTING
from edgekd.plugins import load_plugin

if TYPE_CHECKING:
    from torch import nn

    from edgekd.distill.labels.labeller import Labeller
    from edgekd.distill.teacher import Teacher
    from edgekd.distill.training.tokens import Tokens

HALF = "pytorch bfloat16"
# Recipe and precision hint, on OpenVINO. Not ONNX Runtime's dynamic int8: its scales are of a whole batch,
# so that what a text gets depends on its neighbours.
COMPILED = {"openvino bfloat16": ("fp32", "bf16"), "openvino int8": ("int8-nncf", "f32")}
# The most promising first: bfloat16 labels about as fast as int8 with its closest texts by float32, and
# closer (docs/results/labelling.md); it needs no calibration, so it is also made sooner.
FORMS = (*COMPILED, HALF)
# Without one of these a CPU sums int8 products in 16 bits and cuts what does not fit: labels are not equal.
_INT8_SUMS = {"avx512_vnni", "avx_vnni", "amx_int8"}
# Without one of these bfloat16 is emulated: PyTorch takes six times as long, OpenVINO computes in float32.
_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}
COMPILING = (*EXPORTING, "openvino", "nncf")


def forms_worth_a_try(isa: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of `FORMS` that can be equal and faster on a CPU with these instructions."""
    has = {"openvino int8": _INT8_SUMS & set(isa)}
    return tuple(name for name in FORMS if has.get(name, _BFLOAT16 & set(isa)))


def missing_libraries() -> list[str]:
    """Name what is not installed of what compiling takes."""
    return [name for name in COMPILING if find_spec(name) is None]


def open_network(teacher: Teacher) -> nn.Module:
    """Load the teacher in PyTorch, in its lean form where it has one: the same function."""
    import torch

    from edgekd.distill.lean import make_lean
    from edgekd.distill.teacher import load_whole

    return make_lean(load_whole(teacher), torch.arange(1, 17).reshape(2, 8))


def compile_form(name: str, graph: Graph, calibration: Tokens, folder: Path) -> None:
    """Write one of `COMPILED` into a folder of its own in `folder`."""
    place = form_folder(name, folder)
    place.mkdir()
    rows = [calibration.ids[a:b].tolist() for a, b in pairwise(calibration.starts.tolist())]
    load_plugin("recipes", COMPILED[name][0]).build(graph, place, rows, "openvino")


def open_form(name: str, folder: Path, network: nn.Module, threads: int) -> Labeller:
    """Open one of `COMPILED` that is in `folder`, or `HALF`, which is the network itself."""
    from edgekd.distill.labels.labeller import Labeller
    from edgekd.distill.reference import torch_labeller

    if name == HALF:
        return torch_labeller(network, threads=threads, half=True)
    runtime = load_plugin("runtimes", "openvino")
    described = {"model": runtime.MODEL, "precision": {"INFERENCE_PRECISION_HINT": COMPILED[name][1]}}
    return Labeller(name, runtime.open_session(form_folder(name, folder), described, threads).run_batch)


def form_folder(name: str, folder: Path) -> Path:
    """Tell where `compile_form` writes a form."""
    return folder / name.replace(" ", "-")
