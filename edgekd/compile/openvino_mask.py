"""The mask that Optimum and others give a model beside its ids, so that texts of any length share a batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgekd.export.graph import INPUT

MASK = "attention_mask"
# As much as float32 adds to a score without harm; exp of it is 0.
_FAR = -1e9


def add_mask(model: Any) -> None:
    """Add the input `attention_mask` int64 [batch, sequence], 1 on real tokens, to an encoder of ids alone.

    It acts on each softmax over scores [batch, head, token, token], which costs a call nothing that could be
    measured. Whether that is all there is to mask is for `proves_mask` to tell.
    """
    from openvino import opset13 as ops

    mask = ops.parameter([-1, -1], np.int64, name=MASK)
    mask.output(0).get_tensor().set_names({MASK})
    bias = ops.multiply(ops.subtract(np.float32(1), ops.convert(mask, np.float32)), np.float32(_FAR))
    wide = ops.unsqueeze(bias, np.array([1, 2]))
    for op in model.get_ordered_ops():
        if op.get_type_name() == "Softmax" and op.get_input_partial_shape(0).rank.get_length() == 4:
            op.input(0).replace_source_output(ops.add(op.input_value(0), wide).output(0))
    model.add_parameters([mask])
    model.validate_nodes_and_infer_types()


def proves_mask(model: Any, rows: list[list[int]]) -> bool:
    """Tell whether texts that share a padded batch get the outputs that each gets alone (within 1e-3).

    Rows of one length prove nothing: where there is no padding, any mask will do.
    """
    if len({len(row) for row in rows}) < 2:
        return False
    import openvino as ov

    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    width = max(map(len, rows))
    ids, mask = np.zeros((len(rows), width), np.int64), np.zeros((len(rows), width), np.int64)
    for place, row in enumerate(rows):
        ids[place, : len(row)], mask[place, : len(row)] = row, 1
    together = compiled({INPUT: ids, MASK: mask})[0]
    alone = [compiled({INPUT: np.array([row]), MASK: np.ones((1, len(row)), np.int64)})[0][0] for row in rows]
    return bool(np.abs(together - np.stack(alone)).max() <= 1e-3)
