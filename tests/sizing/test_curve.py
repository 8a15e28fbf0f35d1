import numpy as np

from edgekd.sizing.curve import Rated, extrapolate


def curve(level, gap, pace, rows=(1000, 3000, 9000), error=0.3, rng=None):
    noise = [0.0 if rng is None else rng.normal(0, error) for _ in rows]
    return [
        Rated(n, level + gap * (n / rows[0]) ** -pace + e, error) for n, e in zip(rows, noise, strict=True)
    ]


def test_a_curve_that_falls_falls_on_and_one_that_is_flat_stays():
    found = extrapolate({"falls": curve(0.5, 8, 0.7), "flat": curve(6, 0, 1)}, 60_000)
    falls, flat = found["falls"], found["flat"]
    assert falls.low < 0.5 + 8 * 60**-0.7 < falls.high and falls.value < 1.9
    assert 5 < flat.value <= 6.0 and flat.high > 6.0


def test_intervals_narrow_with_rungs_and_are_never_narrower_than_the_last_point():
    whole = curve(1, 8, 0.8)
    widths = []
    for count in (1, 2, 3):
        guess = extrapolate({"one": whole[:count]}, 60_000)["one"]
        widths.append(guess.high - guess.low)
    assert widths[0] > widths[1] > widths[2] >= 2 * 1.6 * 0.3
    at_its_own_rows = extrapolate({"one": whole}, 9000)["one"]
    assert abs(at_its_own_rows.value - whole[-1].drop) < 0.2


def test_one_that_was_seen_once_learns_from_how_fast_others_do():
    fast = {f"fast {i}": curve(0.2, 9, 1.5) for i in range(4)}
    slow = {f"slow {i}": curve(0.2, 9, 0.2) for i in range(4)}
    seen = {"new": curve(0.2, 9, 1)[:1]}
    quick, tardy = (extrapolate({**others, **seen}, 60_000)["new"] for others in (fast, slow))
    assert quick.value < tardy.value


def test_intervals_hold_what_they_say_of_power_laws():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(100):
        level, gap, pace = rng.uniform(0, 5), rng.uniform(2, 12), rng.uniform(0.3, 1.5)
        points = curve(level, gap, pace, rng=rng)
        guess = extrapolate({"one": points}, 60_000)["one"]
        held += guess.low <= level + gap * 60**-pace <= guess.high
    assert held >= 85
