from edgekd.sizing.halving import choose_promising, plan_ladder


def test_a_ladder_shows_three_times_the_rows_to_a_third_of_the_students():
    ladder = plan_ladder(24, 4000, 3)
    assert (ladder.portion, ladder.ends, ladder.branches) == (800, (5, 15, 45), (1, 3, 9))
    assert [ladder.survivors(rung) for rung in range(3)] == [24, 8, 3]
    assert ladder.rows_shown == 800 * (24 * 6 + 8 * 13 + 3 * 39)
    assert ladder.rows_shown <= 0.15 * 24 * 100_000


def test_who_is_worse_and_no_cheaper_goes_first():
    drops = {"good": 1.0, "worse": 2.0, "cheap": 5.0, "bad": 6.0}
    costs = {name: [cost] for name, cost in [("good", (3, 9)), ("worse", (3, 9)), ("cheap", (1, 2))]}
    costs["bad"] = [(1, 3)]
    assert set(choose_promising(2, drops, costs)) == {"good", "cheap"}
    assert set(choose_promising(3, drops, costs)) == {"good", "cheap", "worse"}
    # A build that is cheaper by one figure keeps it.
    costs["bad"] = [(1, 3), (2, 1)]
    assert "bad" in choose_promising(3, drops, costs)


def test_of_a_front_that_is_too_long_ends_are_kept_and_equals_once():
    names = [f"s{place}" for place in range(9)]
    drops = {name: float(place) for place, name in enumerate(names)}
    costs = {name: [(10.0 / 2**place,)] for place, name in enumerate(names)}
    assert set(choose_promising(3, drops, costs)) == {"s0", "s8", "s4"}
    twins = {"a": 1.0, "b": 1.0}
    assert choose_promising(1, twins, {"a": [(1.0,)], "b": [(1.0,)]}) == ["a"]
    assert choose_promising(2, {}, {}) == []
