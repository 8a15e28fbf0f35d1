import pytest

from edgekd.config import NarrowModel, StaticModel
from edgekd.sizing.curve import Rated
from edgekd.sizing.halving import plan_ladder
from edgekd.sizing.quality import EasyCheck
from edgekd.sizing.search import Asked, Judgement, search

pytest.importorskip("optuna")

MODELS = [
    *(StaticModel(kind="static", name=f"static-{d}", dimension=d) for d in (16, 32, 64, 128)),
    *(
        NarrowModel(kind="narrow", name=f"narrow-{n}-{w}", layers=n, width=w, heads=4, feed_forward=4 * w)
        for n in (1, 2, 3, 4)
        for w in (64, 128, 192)
    ),
]


def cost(model):
    return float(model.dimension) if model.kind == "static" else 100.0 * model.layers * model.width / 64


def drop(model, rows):
    """A student of known quality: larger ones lose less, and all learn with more rows."""
    level = 40 / cost(model) ** 0.5
    return level + 10 * (rows / 1000) ** -0.8


def go(judged=None, models=MODELS, students=9):
    asked = Asked(
        models,
        {model.name: [(cost(model),)] for model in models},
        plan_ladder(students, 1000, 3),
        dict.fromkeys((model.name for model in models), 60_000),
        1000,
        0,
    )
    made, notes = [], []

    def judge(some, rung):
        made.append((rung, [model.name for model in some]))
        rows = (1200, 3600, 10800)[rung]
        found = {model.name: Judgement(Rated(rows, drop(model, rows), 0.2)) for model in some}
        return found if judged is None else judged(found, rows)

    return search(asked, judge, notes.append), made, notes


def test_a_third_goes_on_from_rung_to_rung_and_the_first_is_made_in_two_halves():
    found, made, _ = go()
    assert [(rung, len(names)) for rung, names in made] == [(0, 5), (0, 4), (1, 3), (2, 1)]
    assert not set(made[0][1]) & set(made[1][1])
    by_rows = {quality.student: quality.rows_seen for quality in found}
    assert sorted(by_rows.values()) == [1200] * 6 + [3600] * 2 + [10800]
    for quality in found:
        model = next(model for model in MODELS if model.name == quality.student)
        assert quality.drop.low <= drop(model, 60_000) <= quality.drop.high


def test_the_same_seed_makes_the_same_search():
    assert go()[1] == go()[1]


def test_who_is_too_small_and_who_cannot_be_trained_go_no_further():
    def judged(found, rows):
        easy = EasyCheck(2 * rows, 0.5, 1.0, 3, 100)
        for name, judgement in found.items():
            if name.startswith("static"):
                found[name] = Judgement(judgement.rated, easy)
            if name == "narrow-1-64":
                found[name] = Judgement(problem="its loss is not finite")
        return found

    found, made, notes = go(judged, students=len(MODELS))
    assert not any(name.startswith("static") for rung, names in made if rung for name in names)
    assert {q.student for q in found if q.too_small} == {f"static-{d}" for d in (16, 32, 64, 128)}
    assert "narrow-1-64" not in {quality.student for quality in found}
    assert "size: narrow-1-64: its loss is not finite" in notes
