"""What rounding moves is predicted from one pass, and what ruins a slice is found and restored."""

import functools

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import sample_students as samples
import torch
import urgency

from edgekd.compile.int8_products import quantize_products
from edgekd.compile.restore import restore
from edgekd.compile.sensitivity import list_operators, measure_shifts
from edgekd.compile.small_table import quantize_tables
from edgekd.compile.yardstick import Yardstick
from edgekd.config import Slice
from edgekd.distill.lean import make_lean
from edgekd.distill.lists import Lists
from edgekd.distill.towers import TwoTowers
from edgekd.evaluate.classify.scorer import CLASS_SCORER
from edgekd.evaluate.predictions import Predictions
from edgekd.evaluate.rank.scorer import RANK_SCORER
from edgekd.evaluate.scorer import JudgedRows
from edgekd.export.onnx import export_onnx
from edgekd.serving.heads import fold

MOST = 24
SCORERS = {"classify": CLASS_SCORER, "score": urgency.TASK.scorer, "rank": RANK_SCORER}


def draw(rng, least, most, first=200):
    """Ids of a text; from the 200th on none is the separator."""
    return rng.integers(first, 3000, rng.integers(least, most)).tolist()


class Planted:
    """A tiny student; maybe with a unit that its texts never use and whose weights ruin an int8 product."""

    def __init__(self, folder, sample, dead_unit):
        module = samples.make_module(sample)
        if dead_unit:
            layer = module.model.bert.encoder.layer[0]
            with torch.no_grad():
                layer.output.dense.weight.mul_(20)
                layer.intermediate.dense.bias[5] = -100  # gelu(-100) is 0
                layer.output.dense.weight[:, 5] = 500  # a step of 4 for every weight of the column
        self.path, self.sample = folder / f"{sample.name}.onnx", sample
        export_onnx(module, self.path, MOST)
        self.lean = make_lean(module, torch.arange(1, 17).reshape(2, 8), MOST)
        rng = np.random.default_rng(0)
        if sample.head.name == "rank":
            self.runs = list(self.list_runs(rng, 60))
            self.lists = Lists(np.arange(61) * 4)
        else:
            self.runs = [[draw(rng, 2, 9, 5)] for _ in range(400 if sample is samples.TINY else 150)]
            self.lists = None
        if sample.head.towers:
            self.lean = TwoTowers(self.lean, samples.SEPARATOR)
        self.ids = [[token for run in runs for token in run] for runs in self.runs]
        self.operators = list_operators(onnx.load(self.path))
        self.scorer = SCORERS[sample.head.name]
        self.exact = self.answer(None)
        self.served = self.scorer.serve(Predictions("exact", self.exact))
        self.truth = self.served
        if self.lists is not None:  # what comes first is the best
            self.truth = (self.served == self.served.max(1, keepdims=True)).astype(np.float32)

    def list_runs(self, rng, count):
        end = [samples.SEPARATOR]
        for _ in range(count):
            query = draw(rng, 2, 5)
            for _ in range(4):
                candidate = draw(rng, 2, 9)
                towers = self.sample.head.towers
                yield [query, end + candidate] if towers else [[101, *query, *end, *candidate, *end]]

    def yardstick(self, margin, truth=None):
        """The teacher is right on every row, and answers as the student in fp32 unless told."""
        rows = len(self.truth)
        taught = self.served if truth is None else truth
        given = [Slice(name="overall", where="all", margin=margin, tier="prove", above={}),
                 Slice(name="fourth", where="some", margin=margin, tier="prove", above={}),
                 Slice(name="empty", where="none", margin=margin, tier="prove", above={})]  # fmt: skip
        masks = {"overall": np.ones(rows, bool), "fourth": np.arange(rows) % 4 == 0}
        masks["empty"] = np.zeros(rows, bool)
        judged = JudgedRows(self.truth if truth is None else truth, [str(n) for n in range(20)], given, masks)
        return Yardstick(self.scorer, judged, taught, self.served)

    def measure(self, yardstick):
        return measure_shifts(self.lean, self.ids, yardstick.standing, self.operators, self.lists)

    def answer(self, kept):
        model = onnx.load(self.path)
        if kept is not None:
            model = quantize_products(quantize_tables(model, 8, kept), kept)
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1  # a second one would be waited for at each of thousands of runs
        session = ort.InferenceSession(model.SerializeToString(), options)
        found = []
        for runs in self.runs:
            outputs = np.concatenate([session.run(None, {"input_ids": np.array([ids])})[0] for ids in runs])
            found.append(np.atleast_1d(fold(outputs, self.sample.head)))
        return np.array(found) if self.lists is None else self.lists.fold(np.array(found))


@pytest.fixture(scope="module")
def plant(tmp_path_factory):
    """Make each student once."""
    return functools.cache(lambda *given: Planted(tmp_path_factory.mktemp("planted"), *given))


RUINED = {
    "tiny": (samples.TINY, 1, 0.1),
    "scoring": (samples.SCORING, 3, 0.1),
    "ranking": (samples.RANKING, 6, 0.0),
}
"""Students, the most operators that are restored (values are bounded less tightly than hits), and the least
drop before."""


@pytest.fixture(params=["tiny", "scoring", pytest.param("ranking", marks=pytest.mark.long)])
def ruined(request, plant):
    return plant(RUINED[request.param][0], True)


@pytest.mark.parametrize(
    ("sample", "products", "together"),
    [
        (samples.TINY, 14, 0.5),
        pytest.param(samples.SCORING, 14, 0.3, marks=pytest.mark.long),
        pytest.param(samples.RANKING, 14, 0.1, marks=pytest.mark.long),
        (samples.RANKING_STATIC, 2, 0.5),
    ],
)
def test_every_operator_is_found_and_its_shift_is_what_rounding_it_alone_does(
    plant, sample, products, together
):
    sound = plant(sample, False)
    yardstick = sound.yardstick(20)
    stand = yardstick.standing.stand
    found = sound.measure(yardstick)
    exact = stand(sound.exact)
    assert np.abs(found.standing - exact).max() < 1e-4 * max(1, exact.std())
    assert [one.kind for one in sound.operators].count("product") == products
    names = {one.name for one in sound.operators}
    for place, one in enumerate(sound.operators):
        assert found.shifts[place].any(), one.name
        alone = stand(sound.answer(names - {one.name})) - exact
        # Where a shift is near the last bits of the logits themselves, less is left to agree on.
        wanted = 0.98 if alone.std() > 1e-4 else 0.6
        assert np.corrcoef(alone.ravel(), found.shifts[place].ravel())[0, 1] > wanted, one.name
    everything = stand(sound.answer(())) - exact
    # What one operator moves is rounded anew by the next: together they agree less.
    assert np.corrcoef(everything.ravel(), found.shifts.sum(0).ravel())[0, 1] > together


@pytest.mark.long
def test_the_ruined_operator_is_restored_and_few_others(ruined):
    yardstick = ruined.yardstick(6)
    assert [part.name for part in yardstick.slices] == ["overall", "fourth"]
    assert yardstick.without_rows == ("empty",)
    steps = restore(ruined.operators, ruined.measure(yardstick), yardstick, ruined.answer)
    _, most, least = RUINED[ruined.sample.name]
    first, last = steps[0], steps[-1]
    assert first.restored == ()
    assert all(bound.is_over and bound.drop > least for bound in first.bounds)
    assert not any(bound.is_over for bound in last.bounds)
    planted = next(one.name for one in ruined.operators if one.weights.max() == 500)
    assert planted in last.restored and len(last.restored) <= most
    assert len(steps) <= 1 + len(last.restored)


def test_nothing_is_restored_where_nothing_is_lost(plant):
    sound = plant(samples.TINY, False)
    yardstick = sound.yardstick(20)
    steps = restore(sound.operators, sound.measure(yardstick), yardstick, sound.answer)
    assert [step.restored for step in steps] == [()]


@pytest.mark.parametrize("ruined", ["tiny"], indirect=True)
def test_what_fp32_loses_itself_is_no_goal(ruined):
    """The student in fp32 misses a third of the teacher's hits: rounding is undone, no more is asked for."""
    truth = np.where(np.arange(len(ruined.truth)) % 3 == 0, (ruined.truth + 1) % 20, ruined.truth)
    yardstick = ruined.yardstick(1, truth)
    steps = restore(ruined.operators, ruined.measure(yardstick), yardstick, ruined.answer)
    assert all(bound.goal > 0.3 for bound in steps[-1].bounds)
    assert 0 < len(steps[-1].restored) <= len(ruined.operators)


def test_a_value_that_is_a_step_is_averaged_over_what_is_not_known():
    """Whether a score is within a tenth: 0.09 away is, but not for sure."""
    truth = np.full(40, 0.5, np.float32)
    masks = {"near": np.ones(40, bool)}
    given = [Slice(name="near", where="all", margin=1, tier="prove", metric="within a tenth")]
    yardstick = Yardstick(SCORERS["score"], JudgedRows(truth, ("score",), given, masks), truth, truth)
    (part,) = yardstick.slices
    logit = float(np.log(0.59 / 0.41))
    outputs = np.full((40, 1), logit, np.float32)
    assert yardstick.standing.value(part, outputs, 1e-6) == 40
    known = yardstick.standing.value(part, outputs, 0.5)
    assert 15 < known < 25 and known == yardstick.standing.value(part, outputs, 0.5)
