"""Hold a compiled model's outputs against those of the fp32 graph in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence

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
from edgekd.serving.heads import OpenHead

# Enough to see a broken model; the gate judges quality on its own rows.
_TEXTS = 512


def prove_answers(
    graph: Graph, artifact: Artifact, ids: Sequence[list[int]], texts: Sequence[str], *, is_exact: bool
) -> tuple[npt.NDArray[np.float32], Parity]:
    """Answer `texts`, whose tokens are `ids`, and compare up to 512 of them with the graph's answers.

    The artifact has its head, not yet calibrated: answers are compared as the head compares them.

    Returns:
        The compiled model's outputs [text, output] to all texts, and how far they lie from the graph's.

    Raises:
        ParityError: the outputs have a wrong shape or are not finite; or the recipe is exact and they differ
            by more than 1e-4.
    """
    try:
        model = load(artifact.path)
        outputs = model.outputs(texts)
    except ServingError as error:
        raise ParityError(f"the compiled model does not answer: {error}") from None
    return outputs, _compare(graph, artifact, model.head, ids, outputs, texts, is_exact)


def _compare(
    graph: Graph,
    artifact: Artifact,
    head: OpenHead,
    ids: Sequence[list[int]],
    outputs: npt.NDArray[np.float32],
    texts: Sequence[str],
    is_exact: bool,
) -> Parity:
    with installed():
        source = load_plugin("runtimes", "onnxruntime")
    described = {"model": graph.path.name, "input": {"name": INPUT}, "output": {"name": OUTPUT}}
    run = source.open_session(graph.path.parent, described, 1).run
    reference = np.stack([run(row or [0]) for row in ids[:_TEXTS]])
    compared = texts[:_TEXTS]
    parity = compare_outputs(reference, outputs[:_TEXTS], compared, head.agree)
    if is_exact and parity.worst > FP32_TOLERANCE:
        place = int(np.abs(reference - outputs[:_TEXTS]).max(1).argmax())
        raise ParityError(
            f"{artifact.runtime}/{artifact.recipe}: outputs differ by {parity.worst:.3g} from the graph's, "
            f"allowed {FP32_TOLERANCE:.3g}; worst of {len(compared)} texts: {compared[place]!r:.80}"
        )
    return parity
