"""Orders are judged slice by slice, against the teacher and against the order that came in."""

import numpy as np
import pytest

from edgekd.config import Slice
from edgekd.errors import DataError, SliceError
from edgekd.evaluate.judge import evaluate
from edgekd.evaluate.predictions import Predictions
from edgekd.evaluate.rank.scorer import RANK_SCORER
from edgekd.evaluate.result import EvalResult
from edgekd.evaluate.scorer import JudgedRows

NAN = np.nan
OVERALL = Slice(name="overall", tier="prove", margin=3)


def make_rows(slices=(OVERALL,), rows=120, seed=0, **masks):
    """Rows of 3 to 12 candidates of grades 0 to 3, some not judged; the last has no relevant one."""
    rng = np.random.default_rng(seed)
    truth = rng.choice([0, 0, 0, 1, 2, 3], (rows, 12)).astype(np.float32)
    truth[:, 0], truth[:, 1] = 0, 2
    truth[rng.random(truth.shape) < 0.1] = NAN
    truth[:, :2] = np.where(np.isnan(truth[:, :2]), [0, 2], truth[:, :2])
    truth[np.arange(12) >= rng.integers(3, 13, rows)[:, None]] = -1
    truth[-1] = np.where(truth[-1] >= 0, 0, truth[-1])
    masks = {"overall": np.ones(rows, bool), **masks}
    return JudgedRows(truth, ("score",), slices, masks)


def answer(rows, noise, seed=1, subject="s"):
    """Scores that are the grades and noise; NaN where there is no candidate."""
    known = np.nan_to_num(rows.truth) + np.random.default_rng(seed).normal(0, noise, rows.truth.shape)
    return Predictions(subject, np.where(rows.truth == -1, NAN, known).astype(np.float32))


def test_values_drops_and_the_order_that_came_in():
    rows = make_rows()
    found = evaluate(answer(rows, 1.0), {"teacher": answer(rows, 0.5, 2)}, rows, RANK_SCORER)
    overall = found.slice_named("overall")
    assert (overall.n, overall.left_out, overall.metric) == (119, 1, "NDCG@10")
    assert [drop.reference for drop in overall.drops] == ["teacher", "incoming"]
    worse, gain = overall.drop_from("teacher"), overall.drop_from("incoming")
    assert worse.estimate > 0 > gain.high and worse.differences.least == -1
    came_in = overall.reference_values["incoming"].estimate
    assert overall.value.estimate == pytest.approx(came_in - gain.estimate)
    assert EvalResult.from_json(found.to_json()) == found


def test_figures_of_every_metric_and_of_agreement():
    rows = make_rows()
    teacher = answer(rows, 0.5, 2)
    found = evaluate(teacher, {"teacher": teacher}, rows, RANK_SCORER)
    figures = {figure.name: figure for figure in found.figures}
    assert list(figures) == [
        "NDCG@10", "top-1", "MRR@10", "same first as the teacher", "Kendall's tau with the teacher",
    ]  # fmt: skip
    for name in ("NDCG@10", "top-1", "MRR@10"):
        values = figures[name].values
        assert list(values) == ["", "teacher", "incoming"] and figures[name].n == 119
        assert values[""] == values["teacher"] and values[""].low > values["incoming"].high
    assert figures["same first as the teacher"].values[""].estimate == 1
    assert figures["Kendall's tau with the teacher"].values[""].estimate == 1
    assert found.slice_named("overall").drop_from("teacher").estimate == 0


def test_metrics_of_a_slice_and_what_it_must_exceed():
    slices = (
        OVERALL,
        Slice(name="first", metric="top1", margin=3),
        Slice(name="mrr", metric="mrr_at_10", tier="prove", margin=3, above={}),
        Slice(name="much", tier="watch", margin=3, above={"incoming": 2}),
    )
    mask = np.arange(120) < 60
    rows = make_rows(slices, first=mask, mrr=mask, much=mask)
    first, mrr, much = evaluate(answer(rows, 1.0), {}, rows, RANK_SCORER).slices[1:]
    assert (first.metric, mrr.metric, much.metric) == ("top-1", "MRR@10", "NDCG@10")
    assert first.drop_from("incoming").differences is None and first.above == mrr.above == ()
    assert first.tally.right + first.tally.wrong == first.n == 60
    (above,) = much.above
    assert (above.reference, above.words, above.by) == ("incoming", "the order that came in", 0.02)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"metric": "f1"}, "unknown metric 'f1'"),
        ({"above": {"bm25": 1}}, "above: unknown baseline 'bm25'"),
        ({"recall_of": ("a",)}, "has no classes"),
    ],
)
def test_what_there_is_not_is_refused(setting, said):
    rows = make_rows((Slice(name="overall", margin=3, **setting),))
    with pytest.raises(SliceError, match=said):
        evaluate(answer(rows, 1.0), {}, rows, RANK_SCORER)


def test_scores_of_other_candidates_are_refused():
    rows = make_rows()
    scores = answer(rows, 1.0).outputs
    short = scores.copy()
    short[7, int(np.isfinite(short[7]).sum()) - 1] = NAN
    with pytest.raises(DataError, match=r"row 7 has \d+ candidates and \d+ scores; 1 of 120 rows"):
        evaluate(Predictions("s", short), {}, rows, RANK_SCORER)
    with pytest.raises(DataError, match="expected 120 rows, got 119"):
        evaluate(Predictions("s", scores[1:]), {}, rows, RANK_SCORER)
    with pytest.raises(DataError, match="a grade for each candidate"):
        evaluate(Predictions("s", scores), {}, JudgedRows(np.zeros(120), ("s",), (), {}), RANK_SCORER)


def test_tables_of_other_widths_are_of_the_same_candidates():
    rows = make_rows()
    scores = answer(rows, 1.0).outputs
    wide = Predictions("s", np.pad(scores, ((0, 0), (0, 4)), constant_values=NAN))
    found, wanted = (
        evaluate(one, {"teacher": other}, rows, RANK_SCORER)
        for one, other in ((wide, Predictions("s", scores)), (Predictions("s", scores), wide))
    )
    assert found == wanted and found.figures[3].values[""].estimate == 1
    assert RANK_SCORER.agreement(wide.outputs, scores).all()
