"""What rounding moves is predicted from one pass, and what ruins a slice is found and restored."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import sample_students as samples
import torch

from edgekd.compile.int8_products import quantize_products
from edgekd.compile.restore import restore
from edgekd.compile.sensitivity import list_operators, measure_shifts
from edgekd.compile.small_table import quantize_tables
from edgekd.compile.yardstick import open_yardstick
from edgekd.config import Slice
from edgekd.distill.lean import make_lean
from edgekd.errors import ConfigError
from edgekd.evaluate.classify.slices import select_rows
from edgekd.export.onnx import export_onnx
from edgekd.serving.heads import Head

ROWS, MOST = 400, 24


class Planted:
    """The tiny encoder, with a unit that its texts never use and whose weights ruin an int8 product."""

    def __init__(self, folder, dead_unit):
        module = samples.make_module(samples.TINY)
        if dead_unit:
            layer = module.model.bert.encoder.layer[0]
            with torch.no_grad():
                layer.output.dense.weight.mul_(20)
                layer.intermediate.dense.bias[5] = -100  # gelu(-100) is 0
                layer.output.dense.weight[:, 5] = 500  # a step of 4 for every weight of the column
        self.path = folder / "planted.onnx"
        export_onnx(module, self.path, MOST)
        self.lean = make_lean(module, torch.arange(1, 17).reshape(2, 8), MOST)
        rng = np.random.default_rng(0)
        self.ids = [rng.integers(5, 3000, rng.integers(2, 9)).tolist() for _ in range(ROWS)]
        self.operators = list_operators(onnx.load(self.path))
        self.truth = self.answer(None).argmax(1)

    def yardstick(self, teacher=None):
        """The teacher is right on every row, and answers as the student in fp32 unless told."""
        teacher = self.truth if teacher is None else teacher
        return open_yardstick(samples.HEAD, teacher, teacher, self.truth)

    def answer(self, kept):
        model = onnx.load(self.path)
        if kept is not None:
            model = quantize_products(quantize_tables(model, 8, kept), kept)
        session = ort.InferenceSession(model.SerializeToString())
        return np.concatenate([session.run(None, {"input_ids": np.array([row])})[0] for row in self.ids])


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return Planted(tmp_path_factory.mktemp("sound"), dead_unit=False)


@pytest.fixture(scope="module")
def ruined(tmp_path_factory):
    return Planted(tmp_path_factory.mktemp("ruined"), dead_unit=True)


def margins(logits, truth):
    rows = np.arange(len(truth))
    rest = logits.copy()
    rest[rows, truth] = -np.inf
    return logits[rows, truth] - rest.max(1)


def test_every_operator_is_found_and_its_shift_is_what_rounding_it_alone_does(sound):
    found = measure_shifts(sound.lean, sound.ids, sound.yardstick(), sound.operators)
    exact = margins(sound.answer(None), sound.truth)
    assert np.abs(found.standing - exact).max() < 1e-4
    assert [one.kind for one in sound.operators].count("product") == 14
    names = {one.name for one in sound.operators}
    for place, one in enumerate(sound.operators):
        assert found.shifts[place].any(), one.name
        alone = margins(sound.answer(names - {one.name}), sound.truth) - exact
        # Where a shift is near the last bits of the logits themselves, less is left to agree on.
        least = 0.98 if alone.std() > 1e-4 else 0.6
        assert np.corrcoef(alone, found.shifts[place])[0, 1] > least, one.name
    everything = margins(sound.answer(()), sound.truth) - exact
    # What one operator moves is rounded anew by the next: together they agree less.
    assert np.corrcoef(everything, found.shifts.sum(0))[0, 1] > 0.5


def slices(truth, margin):
    some = np.arange(ROWS) % 4 == 0
    given = [Slice(name="overall", where="all", margin=margin, tier="prove"),
             Slice(name="fourth", where="some", margin=margin, tier="prove")]  # fmt: skip
    masks = {"overall": np.ones(ROWS, bool), "fourth": some}
    return select_rows(given, masks, truth, [str(label) for label in range(20)])


@pytest.mark.long
def test_the_ruined_operator_is_restored_and_no_other(ruined):
    found = measure_shifts(ruined.lean, ruined.ids, ruined.yardstick(), ruined.operators)
    steps = restore(
        ruined.operators,
        found,
        slices(ruined.truth, 6),
        ruined.yardstick(),
        ruined.answer,
    )
    first, last = steps[0], steps[-1]
    assert first.restored == ()
    assert all(bound.is_over and bound.drop > 0.1 for bound in first.bounds)
    assert not any(bound.is_over for bound in last.bounds)
    planted = next(one.name for one in ruined.operators if one.weights.max() == 500)
    assert last.restored == (planted,)
    assert len(steps) == 2


def test_nothing_is_restored_where_nothing_is_lost(sound):
    found = measure_shifts(sound.lean, sound.ids, sound.yardstick(), sound.operators)
    steps = restore(sound.operators, found, slices(sound.truth, 20), sound.yardstick(), sound.answer)
    assert [step.restored for step in steps] == [()]


def test_what_fp32_loses_itself_is_no_goal(ruined):
    """The student in fp32 misses a third of the teacher's hits: rounding is undone, no more is asked for."""
    teacher = np.where(np.arange(ROWS) % 3 == 0, (ruined.truth + 1) % 20, ruined.truth)
    judged = ruined.yardstick(teacher)
    found = measure_shifts(ruined.lean, ruined.ids, judged, ruined.operators)
    steps = restore(ruined.operators, found, slices(teacher, 1), judged, ruined.answer)
    assert all(bound.goal > 0.3 for bound in steps[-1].bounds)
    assert 0 < len(steps[-1].restored) <= len(ruined.operators)


def test_a_score_has_no_margins():
    labels = np.zeros(2, np.int64)
    with pytest.raises(ConfigError, match="the head score has none; leave out restore"):
        open_yardstick(Head("score"), labels, labels, labels)
