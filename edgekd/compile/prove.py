"""Hold a compiled model's outputs against those of the fp32 graph in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from edgekd.compile.artifact import Artifact
from edgekd.errors import ParityError
from edgekd.export import Graph, Parity
from edgekd.export.graph import INPUT, OUTPUT
from edgekd.export.parity import FP32_TOLERANCE, compare_outputs
from edgekd.extras import installed
from edgekd.plugins import load_plugin
from edgekd.serving import ServingError, load
from edgekd.serving.heads import OpenHead, fold
from edgekd.serving.request import join_outputs

Read = Callable[[str], list[list[int]]]
"""From a request to the token ids of each run that answers it."""

# Enough to see a broken model; the gate judges quality on its own rows.
_RUNS = 512


def choose_compared(read: Read, texts: Sequence[str]) -> Sequence[str]:
    """Return as many of the first requests as 512 runs answer, and at least one."""
    runs = 0
    for place, text in enumerate(texts):
        runs += len(read(text))
        if runs > _RUNS:
            return texts[: max(1, place)]
    return texts


def prove_answers(
    graph: Graph, artifact: Artifact, read: Read, texts: Sequence[str], *, is_exact: bool
) -> tuple[npt.NDArray[np.float32], Parity]:
    """Answer requests and compare those that take up to 512 runs with the graph's answers.

    The artifact has its head, not yet calibrated: answers are compared as the head compares them.

    Returns:
        The compiled model's outputs [request, output] to all texts, and how far they lie from the graph's.

    Raises:
        ParityError: the outputs have a wrong shape or are not finite; or the recipe is exact and they differ
            by more than 1e-4 (of towers: of their scores' spread, where that is more than 1).
    """
    try:
        model = load(artifact.path)
        outputs = model.outputs(texts)
    except ServingError as error:
        raise ParityError(f"the compiled model does not answer: {error}") from None
    compared = choose_compared(read, texts)
    reference = _answer(graph, [read(text) for text in compared])
    return outputs, _compare(artifact, model.head, reference, outputs[: len(compared)], compared, is_exact)


def _answer(graph: Graph, requests: Sequence[list[list[int]]]) -> npt.NDArray[np.float32]:
    """Return the graph's outputs [request, output]; where requests differ in length, padded with NaN."""
    with installed():
        source = load_plugin("runtimes", "onnxruntime")
    described = {"model": graph.path.name, "input": {"name": INPUT}, "output": {"name": OUTPUT}}
    run = source.open_session(graph.path.parent, described, 1).run
    rows = [[run(ids or [0]) for ids in runs] for runs in requests]
    nothing = np.empty(0, np.float32)  # a request without candidates
    return join_outputs([(fold(np.stack(row), graph.head) if row else nothing)[None] for row in rows])


def _compare(
    artifact: Artifact,
    head: OpenHead,
    reference: npt.NDArray[np.float32],
    outputs: npt.NDArray[np.float32],
    texts: Sequence[str],
    is_exact: bool,
) -> Parity:
    parity = compare_outputs(reference, outputs, texts, head.agree)
    # The score of two towers is a product: its rounding grows with its size.
    allowed = FP32_TOLERANCE * (max(1.0, float(np.nanstd(reference))) if artifact.head.towers else 1.0)
    if is_exact and parity.worst > allowed:
        place = int(np.nan_to_num(np.abs(reference - outputs)).max(1).argmax())
        raise ParityError(
            f"{artifact.runtime}/{artifact.recipe}: outputs differ by {parity.worst:.3g} from the graph's, "
            f"allowed {allowed:.3g}; worst of {len(texts)} texts: {texts[place]!r:.80}"
        )
    return parity
