"""Int8 weights and activations, ranges calibrated by NNCF on real text; for OpenVINO."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np

from edgekd.compile.openvino_ir import read_folded, save_ir
from edgekd.export import Graph

VERSION = 2
RUNTIMES = ("openvino",)
KINDS = ("transformer", "static")
# Only the first layer is kept from saturating without VNNI (NNCF's default overflow fix).
ISAS = ("avx512_vnni", "avx_vnni", "amx")
IS_EXACT = False
RESTORES = ("openvino",)
LIBRARIES = ("onnx", "openvino", "nncf")

# NNCF's own default; ranges hardly move beyond it.
_CALIBRATION_ROWS = 300


def build(
    graph: Graph,
    folder: Path,
    calibration_ids: Sequence[list[int]],
    runtime: str,
    kept: Collection[str] = (),
) -> None:
    """Write OpenVINO's files; takes about 5 seconds for a 2-layer student.

    Operators named in `kept` stay in fp32.
    """
    del runtime
    with _quiet():
        import nncf

        rows = [np.array([ids], np.int64) for ids in calibration_ids if ids][:_CALIBRATION_ROWS]
        model = nncf.quantize(
            read_folded(graph),
            nncf.Dataset(rows),
            model_type=nncf.ModelType.TRANSFORMER if graph.kind == "transformer" else None,
            subset_size=len(rows),
            fast_bias_correction=True,
            ignored_scope=nncf.IgnoredScope(names=_in_openvino(kept), validate=False) if kept else None,
        )
    save_ir(model, graph, calibration_ids, folder)


def _in_openvino(names: Collection[str]) -> list[str]:
    """Name ONNX nodes as OpenVINO does: alike, but for a Gemm, which becomes a product and a sum."""
    return [f"{name}/WithoutBiases" if name.startswith("Gemm") else name for name in sorted(names)]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep NNCF's log, progress bars and prints off the terminal."""
    logger = logging.getLogger("nncf")
    level, disabled = logger.level, logger.disabled
    logger.disabled = True
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
        logger.disabled = disabled
