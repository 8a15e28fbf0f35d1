import json
from dataclasses import replace

import pytest

from edgekd.config import StaticModel, load_model
from edgekd.errors import BadInputError, ConfigError
from edgekd.sizing.budget import Budget, Cost, Guess
from edgekd.sizing.front import Point, make_front
from edgekd.sizing.front_file import front_from_json, front_to_json, load_front, save_front, write_model_file
from edgekd.sizing.quality import Quality
from edgekd.sizing.shapes import Shape


def point(name, p95, drop, rss=50.0, spread=0.1, too_small=None):
    def guess(value, share):
        return Guess(value, value * (1 - share), value * (1 + share))

    cost = Cost(guess(p95 / 2, 0.1), guess(p95, 0.1), guess(200, 0.1), guess(rss, 0.02), guess(10, 0.001))
    quality = Quality(name, Guess(drop, drop - spread, drop + spread), 1000, too_small)
    return Point(Shape(StaticModel(kind="static", name=name), "numpy", "fp32"), cost, quality)


POINTS = [point("slow", 4.0, 0.4), point("mid", 1.0, 0.7), point("fast", 0.2, 1.4), point("bad", 0.1, 9.0)]


def recommended(front):
    return front.recommended.quality.student if front.recommended else None


def test_the_fastest_that_holds_the_drop_is_recommended():
    front = make_front("t", Budget(max_drop=1.0), POINTS)
    assert recommended(front) == "mid" and front.runner_up.quality.student == "slow"
    assert "surely loses at most 1 points: 0.70, at most 0.80" in front.reasons[1]
    (opening,) = front.openings
    assert opening.words == "0.4 points more drop would save 0.8 ms of p95 (fast.numpy.fp32)"


def test_a_drop_that_is_only_likely_gives_way_to_one_that_is_sure():
    points = [point("likely", 0.2, 0.95), point("sure", 1.0, 0.5)]
    assert recommended(make_front("t", Budget(max_drop=1.0), points)) == "sure"
    alone = make_front("t", Budget(max_drop=1.0), points[:1])
    assert recommended(alone) == "likely" and "likeliest" in alone.reasons[1]


def test_without_a_drop_the_best_that_fits_is_recommended_and_of_ties_the_fastest():
    front = make_front("t", Budget(p95_ms=1.2), POINTS)
    assert recommended(front) == "mid"
    tied = [*POINTS, point("quick", 0.6, 0.75)]
    assert recommended(make_front("t", Budget(p95_ms=1.2), tied)) == "quick"
    # What is predicted is measured before it is recommended; then the high end must hold the limit.
    measured = [replace(one, measured=True) for one in POINTS]
    assert recommended(make_front("t", Budget(p95_ms=1.05), POINTS)) == "mid"
    assert recommended(make_front("t", Budget(p95_ms=1.05), measured)) == "fast"


def test_a_slightly_larger_budget_that_gains_points_is_told():
    front = make_front("t", Budget(p95_ms=0.9), POINTS)
    assert recommended(front) == "fast"
    assert [o.words for o in front.openings] == ["0.1 ms more p95 would gain 0.7 points (mid.numpy.fp32)"]
    assert make_front("t", Budget(p95_ms=0.3), POINTS).openings == ()  # three times is not slightly


def test_one_that_is_too_small_is_never_recommended():
    points = [point("small", 0.1, 0.2, too_small="weak"), point("mid", 1.0, 0.7)]
    for budget in (Budget(), Budget(max_drop=1.0)):
        assert recommended(make_front("t", budget, points)) == "mid"


def test_where_nothing_fits_the_binding_limit_and_the_distance_are_told():
    front = make_front("t", Budget(p95_ms=0.05, peak_rss_mib=60), POINTS)
    assert recommended(front) is None and front.binding.figure == "p95_ms"
    assert front.binding.words == (
        "no shape holds p95 0.05 ms: bad.numpy.fp32 comes nearest with 0.1 ms, 0.05 ms over it"
    )
    strict = make_front("t", Budget(p95_ms=0.3, max_drop=1.0), POINTS)
    assert recommended(strict) is None
    assert strict.binding.words == (
        "no shape holds drop 1 points: fast.numpy.fp32 comes nearest with 1.4 points, 0.4 points over it"
    )
    assert make_front("t", Budget(), []).recommended is None


def test_the_best_of_a_figure_are_a_front():
    front = make_front("t", Budget(), [*POINTS, point("beaten", 2.0, 0.8)])
    assert [p.quality.student for p in front.best("p95_ms")] == ["bad", "fast", "mid", "slow"]
    assert [p.quality.student for p in front.best("artifact_mib")] == ["slow"]


def test_an_answer_goes_to_json_and_back(tmp_path):
    for budget in (Budget(p95_ms=1.0, max_drop=2.0), Budget(p95_ms=0.05)):
        front = make_front("t", budget, POINTS)
        assert front_from_json(json.loads(json.dumps(front_to_json(front)))) == front
    save_front(front, tmp_path / "t.json")
    assert load_front(tmp_path / "t.json") == front
    (tmp_path / "t.json").write_text('{"format": 0}')
    with pytest.raises(BadInputError, match="size again"):
        load_front(tmp_path / "t.json")


def test_the_model_file_is_what_a_project_reads(tmp_path):
    model = POINTS[0].shape.model
    for _ in range(2):
        write_model_file(model, tmp_path)
        assert load_model("slow", tmp_path) == model
    file = tmp_path / "models" / "slow.yaml"
    file.write_text("# written by hand\n" + file.read_text(encoding="utf-8"), encoding="utf-8")
    write_model_file(model, tmp_path)
    assert file.read_text(encoding="utf-8").startswith("# written by hand")
    with pytest.raises(ConfigError, match="another student"):
        write_model_file(model.model_copy(update={"hidden": 16}), tmp_path)
