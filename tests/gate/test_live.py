import json

import pytest

from edgekd.errors import BadInputError, DataError, LedgerError
from edgekd.gate.conditions import RollbackConditions, SliceCondition
from edgekd.gate.counted import read_counted
from edgekd.gate.guard import watch_live
from edgekd.gate.history import read_history
from edgekd.gate.live import CANDIDATE, INCUMBENT, judge_counts, read_lines
from edgekd.stats.sequential import Arm

CONDITIONS = RollbackConditions(
    slices={
        "overall": SliceCondition(0.015),
        "ios": SliceCondition(0.04),
        "safety": SliceCondition(0.02, at_least=0.93),
    },
    p95_ms=20,
    fallback_rate=0.15,
)
OF = "0123abcd"


def write(tmp_path, *rows, end="\n"):
    path = tmp_path / "counts.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows) + end)
    return path


def count(name, arm, n, hits, of=OF, **more):
    return {"slice": name, "arm": arm, "n": n, "hits": hits, "artifact": of, **more}


def figure(name, n, hits, of=OF):
    return {"figure": name, "n": n, "hits": hits, "artifact": of}


def test_each_slice_is_judged_by_its_margin():
    counts = {
        "overall": {INCUMBENT: Arm(18_000, 20_000), CANDIDATE: Arm(17_940, 20_000)},
        "ios": {INCUMBENT: Arm(18_000, 20_000), CANDIDATE: Arm(16_000, 20_000)},
    }
    found = judge_counts(counts, CONDITIONS)
    assert {name: watched.decision for name, watched in found.items()} == {
        "overall": "go on",
        "ios": "stop: harm",
    }


@pytest.mark.parametrize(
    ("name", "hits", "decision"),
    [
        ("p95_ms", 300, "stop: success"),  # 3 % of the answers are above the limit
        ("p95_ms", 500, "go on"),
        ("p95_ms", 700, "stop: harm"),
        ("fallback_rate", 1_300, "stop: success"),
        ("fallback_rate", 1_700, "stop: harm"),
        ("safety", 9_500, "stop: success"),
        ("safety", 9_310, "go on"),
        ("safety", 9_000, "stop: harm"),
    ],
)
def test_figures_and_escalation_recall_need_no_incumbent(name, hits, decision):
    found = judge_counts({name: {CANDIDATE: Arm(hits, 10_000)}}, CONDITIONS)
    assert found[name].decision == decision


def test_harm_by_the_floor_or_by_the_margin_is_harm():
    arms = {INCUMBENT: Arm(9_900, 10_000), CANDIDATE: Arm(9_500, 10_000)}
    assert judge_counts({"safety": arms}, CONDITIONS)["safety"].decision == "stop: harm"


def test_claims_share_the_level_whether_or_not_they_are_counted():
    assert CONDITIONS.claims == 6
    seen = {"overall": {INCUMBENT: Arm(900, 1_000), CANDIDATE: Arm(880, 1_000)}}
    alone = RollbackConditions(slices={"overall": SliceCondition(0.015)})
    assert judge_counts(seen, CONDITIONS)["overall"].drop.low < judge_counts(seen, alone)["overall"].drop.low


def test_a_line_that_is_still_being_written_waits(tmp_path):
    path = write(tmp_path, count("overall", CANDIDATE, 10, 9), count("overall", CANDIDATE, 10, 0), end="")
    assert [line.hits for line in read_lines(path, CONDITIONS)] == [9]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {"slice": "overall"},
            "line 1: expected arm, artifact, hits, n, slice; arm, artifact, .* is missing",
        ),
        ({k: v for k, v in count("ios", CANDIDATE, 1, 1).items() if k != "artifact"}, "artifact is missing"),
        ({k: v for k, v in count("ios", INCUMBENT, 1, 1).items() if k != "artifact"}, "artifact is missing"),
        (count("ios", CANDIDATE, 1, 1, of=""), "artifact must be the digest of what answered.* got ''"),
        (count("ios", CANDIDATE, 1, 1, of="abc"), "its first 8 digits or more; got 'abc'"),
        (count("ios", INCUMBENT, 1, 1, of=" "), "artifact must be the digest"),
        (count("iso", CANDIDATE, 1, 1), "line 1: .*'iso'.*ios"),
        (count("ios", "control", 1, 1), "arm must be incumbent or candidate"),
        (count("ios", CANDIDATE, 1, 2), "hits at most n"),
        (count("ios", CANDIDATE, 1.5, 1), "must be counts"),
        (figure("p95", 1, 1), "unknown figure 'p95'.*p95_ms"),
        ([1], "expected arm, artifact, hits, n, slice"),
    ],
)
def test_wrong_lines_are_named(tmp_path, row, said):
    with pytest.raises(DataError, match=said) as caught:
        list(read_lines(write(tmp_path, row), CONDITIONS))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path}/counts.jsonl: line 1: ")


@pytest.fixture
def live(shop):
    """a, b and c, each promoted under the conditions; c is current."""
    for name in "abc":
        shop.promote(name, conditions=CONDITIONS, rows=shop.judge_on(overall=["x"], ios=["y"]))
    return shop


def watch(shop, path):
    return watch_live(shop.registry, "shop", "t", path)


def harmful(shop, candidate, incumbent, **more):
    """Counts that prove harm of one against the other."""
    of = {CANDIDATE: shop.artifact(candidate)[1][:12], INCUMBENT: shop.artifact(incumbent)[1][:12]}
    return [
        count("overall", CANDIDATE, 5_000, 3_600, of=of[CANDIDATE], **more),
        count("overall", INCUMBENT, 5_000, 4_600, of=of[INCUMBENT], **more),
    ]


def test_one_old_file_read_three_times_takes_back_one_version(live, tmp_path):
    """On 2d017b4, without `artifact`, it unwinds every version."""
    path = write(tmp_path, *harmful(live, "c", "b"))
    seen = watch(live, path)
    assert (seen.harmed, seen.back.variant, live.current()) == (("overall",), "b", "b")
    entry = seen.back.entry
    assert (entry.harm.by, entry.replaces) == ("live traffic", live.artifact("c")[1])
    assert list(entry.harm.slices) == ["overall"] and "drop is at least" in entry.harm.reason
    for _ in range(2):
        with pytest.raises(
            DataError, match=f"no rows of the candidate.* artifact {live.artifact('b')[1][:12]}"
        ):
            watch(live, path)
    assert live.current() == "b"


def test_a_line_is_counted_once_whatever_file_it_is_in(live, tmp_path):
    of = live.artifact("c")[1][:12], live.artifact("b")[1][:12]
    rows = [count("overall", CANDIDATE, 10, 9, of=of[0]), count("overall", INCUMBENT, 10, 9, of=of[1])]
    assert watch(live, write(tmp_path, *rows)).new_lines == 2
    assert watch(live, write(tmp_path, *rows)).new_lines == 0
    (tmp_path / "other").mkdir()
    assert watch(live, write(tmp_path / "other", *reversed(rows))).new_lines == 0
    # A second line that is equal is another line, as counts may be; and with a time it is told apart.
    assert watch(live, write(tmp_path, *rows, rows[0])).new_lines == 1
    assert watch(live, write(tmp_path, *rows, rows[0], {**rows[0], "time": 5})).new_lines == 1
    counted = read_counted(live.registry / "shop" / "t")
    number = read_history(live.registry, "shop", "t").stack[-1].sequence
    assert counted.arms(number)["overall"][CANDIDATE] == Arm(36 - 9, 30)


def test_sums_grow_over_files_until_harm_is_proven(live, tmp_path):
    of = {CANDIDATE: live.artifact("c")[1][:12], INCUMBENT: live.artifact("b")[1]}
    for hour in range(30):
        rows = [
            count("overall", CANDIDATE, 100, 80, of=of[CANDIDATE], hour=hour),
            count("overall", INCUMBENT, 100, 92, of=of[INCUMBENT], hour=hour),
        ]
        seen = watch(live, write(tmp_path, *rows))
        if seen.back is not None:
            break
    assert 3 < hour < 29
    assert live.current() == "b"


def test_lines_of_another_artifact_do_not_count(live, tmp_path):
    old = harmful(live, "b", "a")
    with pytest.raises(DataError, match="no rows of the candidate"):
        watch(live, write(tmp_path, *old))
    # nor do those of an incumbent that this one did not replace
    wrong = [harmful(live, "c", "b")[0], harmful(live, "b", "a")[1]]
    with pytest.raises(DataError, match=f"no rows of the incumbent.* {live.artifact('b')[1][:12]}"):
        watch(live, write(tmp_path, *wrong))
    assert live.current() == "c"
    # one that is no artifact of this target, as a teacher behind an API, has a name of its own
    outside = [wrong[0], {**wrong[1], "artifact": "teacher"}]
    assert watch(live, write(tmp_path, *outside)).back.variant == "b"


def test_conditions_are_those_of_the_promotion_not_of_today(live, tmp_path):
    """Each version is watched under its own: what a project says now changes nothing."""
    live.promote("a", conditions=RollbackConditions(slices={"overall": SliceCondition(0.5)}))
    rows = harmful(live, "a", "c")
    assert watch(live, write(tmp_path, *rows)).harmed == ()
    with pytest.raises(DataError, match="unknown slice 'ios'"):
        watch(live, write(tmp_path, count("ios", CANDIDATE, 1, 1, of=live.artifact("a")[1])))
    live.rollback()
    assert read_history(live.registry, "shop", "t").conditions == CONDITIONS


def test_a_promotion_without_conditions_gets_them_by_the_next_run(shop, tmp_path):
    shop.promote("a")
    path = write(tmp_path, count("overall", CANDIDATE, 1, 1, of=shop.artifact("a")[1]))
    with pytest.raises(BadInputError, match=r"line 1 of the ledger has no rollback conditions.* edgekd run"):
        watch(shop, path)
    assert not shop.promote("a", conditions=CONDITIONS).changed
    assert shop.events() == [("promote", "a"), ("keep", "a")]
    assert not shop.promote("a", conditions=RollbackConditions()).changed
    assert len(shop.events()) == 2  # they are written once
    assert read_history(shop.registry, "shop", "t").conditions == CONDITIONS
    with pytest.raises(BadInputError, match="nothing is promoted"):
        watch_live(shop.registry, "shop", "u", path)


def test_harm_without_an_earlier_version_is_said(shop, tmp_path):
    shop.promote("a", conditions=CONDITIONS)
    rows = [count("safety", CANDIDATE, 1_000, 500, of=shop.artifact("a")[1])]
    seen = watch(shop, write(tmp_path, *rows))
    assert (seen.harmed, seen.back) == (("safety",), None)
    assert "no earlier version" in seen.stuck
    again = watch(shop, write(tmp_path, *rows))  # what was counted stays, and is judged again
    assert (again.new_lines, again.harmed) == (0, ("safety",))


def test_an_artifact_that_is_promoted_again_starts_from_nothing(live, tmp_path):
    path = write(tmp_path, *harmful(live, "c", "b"))
    watch(live, path)
    live.promote("c", conditions=CONDITIONS, again=True)
    with pytest.raises(DataError, match="no rows of the candidate"):
        watch(live, path)  # its old lines were counted, for the promotion before
    assert live.current() == "c"
    assert watch(live, write(tmp_path, *harmful(live, "c", "b", day=2))).back.variant == "b"


def test_a_kill_between_counting_and_going_back_is_made_up_for(live, tmp_path, monkeypatch):
    path = write(tmp_path, *harmful(live, "c", "b"))

    def killed(*arguments, **named):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("edgekd.gate.guard.rollback", killed)
        with pytest.raises(KeyboardInterrupt):
            watch(live, path)
    assert live.current() == "c"
    seen = watch(live, path)  # no line is new, and the harm is known
    assert (seen.new_lines, seen.back.variant) == (0, "b")


def test_a_promotion_made_meanwhile_is_left_alone(live, tmp_path, monkeypatch):
    from edgekd.errors import StaleError
    from edgekd.gate import guard

    path, go_back = write(tmp_path, *harmful(live, "c", "b")), guard.rollback

    def late(*arguments, **named):
        live.promote("a")
        return go_back(*arguments, **named)

    monkeypatch.setattr(guard, "rollback", late)
    with pytest.raises(StaleError, match="is promoted now"):
        watch(live, path)
    assert live.current() == "a"


def test_a_record_of_counts_that_is_broken_is_named(live, tmp_path):
    path = live.registry / "shop" / "t" / "live.json"
    path.write_text('{"lines": 3}')
    with pytest.raises(LedgerError, match=r"live\.json: is no record of counts"):
        watch(live, write(tmp_path, *harmful(live, "c", "b")))
