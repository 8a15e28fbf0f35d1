import json
from pathlib import Path

import numpy as np
import pytest

from edgekd.curate.sampling.choose import MIX, Candidates, choose, near_failures
from edgekd.curate.sampling.coverage import cover, expected_failures
from edgekd.curate.sampling.features import text_features
from edgekd.curate.sampling.spread import choose_spread
from edgekd.errors import BadInputError

WANTS = ("where is my order", "give my money back", "recommend a series")
TEXTS = [f"{what} {i % 5} {'please' if i % 2 else ''}" for i in range(60) for what in WANTS]


def test_features_are_near_for_like_texts_and_the_same_in_any_company():
    found = text_features(TEXTS)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5) and found.dtype == np.float32
    wide = text_features(["where is my order", "where is my parcel", "recommend a series"], 512)
    assert wide[0] @ wide[1] > 0.3 > abs(wide[0] @ wide[2])
    assert (text_features(["", "?!"]) == 0).all()


def test_near_duplicates_are_not_chosen_twice():
    rng = np.random.default_rng(0)
    features = text_features(["the same uncertain text"] * 50 + TEXTS[:12])
    worth = np.array([1.0] * 50 + [0.5] * 12)
    found = choose_spread(features, worth, 8, rng)
    assert len(found) == len(set(found)) == 8 and (found < 50).sum() == 1
    assert not set(choose_spread(features, worth, 20, rng, taken=np.array([0]))) & set(range(50))
    assert len(choose_spread(features, np.zeros(62), 5, rng)) == 0
    many = text_features([f"{text} {i}x" for i, text in enumerate(TEXTS)])
    assert (
        choose_spread(many, np.ones(len(many)), 20, rng).max() > len(many) / 2
    )  # the first rows are no better
    assert len(choose_spread(features, worth, 500, rng)) <= 13


def pool(**known):
    return Candidates(text_features([f"{text} {i}x" for i, text in enumerate(TEXTS)]), **known)


def test_each_kind_gets_its_share_and_no_row_comes_twice():
    n = len(TEXTS)
    risk, wrong = np.arange(n) % 9 == 0, np.where(np.arange(n) % 7 == 0, 1.0, 0.0)
    margin, age = np.linspace(0, 1, n), np.linspace(200, 0, n)
    strata = np.where((np.arange(n) >= 80) & (np.arange(n) < 86), 1, 0)
    labelled = np.arange(5)
    whole = pool(
        strata=strata, risk=risk, margin=margin, age=age, disagreement=wrong, hard=margin, labelled=labelled
    )
    found = choose(whole, 60)
    by_reason = {name: found.rows[np.array(found.reasons) == name] for name in MIX}
    assert len(set(found.rows)) == len(found.rows) == 60 and not set(found.rows) & set(labelled)
    for name, share in MIX.items():
        assert abs(len(by_reason[name]) - 60 * share) <= 1, name
    assert risk[by_reason["risk"]].all() and (wrong[by_reason["disagreement"]] == 1).all()
    assert margin[by_reason["margin"]].mean() < 0.5 and age[by_reason["fresh"]].mean() < 100
    assert (strata[by_reason["stratified"]] == 1).any()  # six of 180 rows, and yet seen
    assert np.array_equal(choose(whole, 60).rows, found.rows)


def test_what_is_not_known_leaves_its_share_to_others():
    found = choose(pool(margin=np.full(len(TEXTS), np.nan)), 30)
    assert set(found.reasons) == {"stratified"} and len(found.rows) == 30 and "margin" in found.missing
    assert len(choose(pool(), 10_000).rows) <= len(TEXTS)
    with pytest.raises(BadInputError, match="did you mean 'margin'"):
        choose(pool(), 10, mix={"margins": 1.0})
    with pytest.raises(BadInputError, match="at least one row"):
        choose(pool(), 0)


def test_rows_near_failures_are_mined_and_not_the_failures():
    features = text_features(TEXTS)
    near = near_failures(features, features[1:2])
    assert near[1] == pytest.approx(1, abs=1e-5) and near[4] > near[0]
    assert (near_failures(features, features[:0]) == 0).all()


def test_coverage_tells_what_a_sample_lacks():
    worked = json.loads((Path(__file__).parent.parent / "golden.json").read_text(encoding="utf-8"))
    scale = worked["scale"]
    traffic = {"overall": np.ones(1000, bool), "rare": np.arange(1000) < 5, "many": np.arange(1000) >= 200}
    sample = {name: mask[::10] for name, mask in traffic.items()}
    found = cover(sample, traffic, least=20, per_day=50_000_000)
    assert found.lacking == ("rare",) and found.parts[1].missing == 19
    assert found.parts[2].per_day == pytest.approx(40_000_000)
    for per_day, rare in scale["rare_0.1_percent_per_day"].items():
        assert cover(sample, traffic, per_day=float(per_day)).rare_per_day == pytest.approx(rare)
    day = scale["sample_share_of_day"]
    big = {"overall": np.ones(day["sample"], bool)}
    assert cover(big, big, per_day=day["per_day"]).day_share == pytest.approx(day["share"])
    assert expected_failures(1000, 0.001)[1] == pytest.approx(np.exp(-1), rel=1e-3)
    assert expected_failures(0, 1.0) == (0, 1) and expected_failures(3, 1.0) == (3, 0)
    with pytest.raises(BadInputError, match="only one of them has: many"):
        cover({"overall": traffic["overall"], "rare": traffic["rare"]}, traffic)
