"""A queue within capacity, judgments in and out of files, decisions, drift, backlog and proposed rules."""

import json
import random
from datetime import UTC, datetime, timedelta

import pytest

from edgekd.curate.review.backlog import capacity_to_clear, forecast_backlog, measure_waits
from edgekd.curate.review.decide import decide_rows, measure_agreement
from edgekd.curate.review.health import measure_health
from edgekd.curate.review.item import Judgment, read_items, read_time
from edgekd.curate.review.label_studio import read_items_of, read_tasks, write_tasks
from edgekd.curate.review.proposals import Corrected, list_repeated, propose_rules
from edgekd.curate.review.queue import plan_queue
from edgekd.curate.review.rater_drift import find_drift
from edgekd.curate.review.sheet import read_sheet, write_judgments, write_sheet
from edgekd.errors import BadInputError, DataError

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
ODD = [
    'naïve, "quoted"',
    "two\nlines\r\nand three",
    "漫画 🎌 ﷺ",
    "=1+1",
    " spaces ",
    "a;b\tc",
    "\u202ewords\u200b",
]


def items(*rows):
    return read_items(
        [{"id": str(place), "text": "t", "answer": "a", **row} for place, row in enumerate(rows)], "f"
    )


def judged(row, rater, answer, day=0, seconds=None):
    return Judgment(str(row), rater, answer, MONDAY + timedelta(days=day), seconds)


def test_the_queue_takes_most_expected_gain_first_within_capacity():
    rows = items(
        {"probability": 0.9, "cost": 10},
        {"probability": 0.5},
        {"probability": 0.5, "arrived": "2026-01-01"},
        {"probability": 0.99, "reach": 1000},
        {"gain": 0.7},
    )
    queue = plan_queue(rows, 3)
    assert [item.id for item in queue.items] == ["3", "0", "4"]
    assert (queue.waiting, queue.judgments) == (2, 3)
    assert queue.gain == pytest.approx(11.7) and queue.gain_left == pytest.approx(1.0)
    assert [item.id for item in plan_queue(rows, 100).items] == ["3", "0", "4", "2", "1"]  # who came first


@pytest.mark.parametrize(("capacity", "rows"), [(110, 100), (11, 10), (1, 1), (3, 2)])
def test_rows_for_two_raters_are_within_capacity_and_drawn_alike(capacity, rows):
    many = items(*[{"gain": gain} for gain in range(200)])
    queue = plan_queue(many, capacity, twice=0.1 if capacity > 10 else 0.5)
    assert len(queue.items) == rows and queue.judgments <= capacity
    assert queue == plan_queue(many, capacity, twice=0.1 if capacity > 10 else 0.5)
    if rows == 100:
        places = [place for place, copies in enumerate(queue.copies) if copies == 2]
        assert len(places) == 10 and min(places) < 40 and max(places) > 60


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"probability": 1.2}, "row 1: 'probability' must be a number from 0 to 1, got 1.2"),
        ({"cost": "much"}, "row 1: 'cost' must be a number from 0, got 'much'"),
        ({"gain": float("nan")}, "'gain' must be a number"),
        ({"reach": True}, "'reach' must be a number"),
        ({"arrived": "soon"}, "row 1: arrived: expected a date or an ISO 8601 time, got 'soon'"),
        ({"answer": ""}, "row 1: 'answer' is empty"),
    ],
)
def test_rows_that_are_wrong_are_named(row, said):
    with pytest.raises(DataError, match=said):
        items(row)
    with pytest.raises(DataError, match="row 2: has the id of row 1"):
        read_items([{"id": 1, "text": "a", "answer": "b"}] * 2, "f")


def many_judgments():
    rng = random.Random(0)
    return [
        Judgment(
            row=f"r-{row} {ODD[row % len(ODD)]}",
            rater=f"{rater}@{ODD[(row + 2) % len(ODD)].strip()}",
            answer=rng.choice(ODD),
            time=MONDAY + timedelta(microseconds=rng.randrange(10**12)),
            seconds=rng.choice([None, 0.1, rng.random() * 100]),
        )
        for row in range(300)
        for rater in ("one", "two")
    ]


def test_a_sheet_keeps_every_row_rater_and_time(tmp_path):
    told = many_judgments()
    path = tmp_path / "told.csv"
    path.write_bytes(write_judgments(told).encode())
    assert read_sheet(path, MONDAY) == told
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())  # as a spreadsheet saves it
    assert read_sheet(path, MONDAY) == told


def test_a_sheet_of_the_queue_is_filled_in(tmp_path):
    rows = items({"text": ODD[1], "page": ODD[2]}, {"text": ODD[0], "slice": "new"})
    path = tmp_path / "queue.csv"
    text = write_sheet(plan_queue(rows, 4, twice=1.0))
    assert (
        text.splitlines()[0]
        == "id,text,answer,probability,slice,arrived,gain,page,rater,judgment,time,seconds"
    )
    path.write_bytes(text.encode())
    assert read_sheet(path, MONDAY) == []
    path.write_text("id;rater;judgment;time\n7;ann;b;\n8;bob;c;2026-03-04T10:00+01:00\n9;;;\n")
    assert read_sheet(path, MONDAY) == [
        judged(7, "ann", "b"), Judgment("8", "bob", "c", datetime(2026, 3, 4, 9, tzinfo=UTC))
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,rater\n1,a\n", "has no column 'judgment'"),
        ("id,rater,judgment\n1,,a\n", "line 2: has a judgment but no rater"),
        ("id,rater,judgment\n1,a,b,c\n", "line 2: has another number of columns"),
        ("id,rater,judgment,time\n1,a,b,noon\n", "line 2: time: expected a date"),
        ("id,rater,judgment,seconds\n1,a,b,x\n", "line 2: seconds: expected a number"),
    ],
)
def test_a_sheet_that_is_wrong_is_named(tmp_path, text, said):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=said):
        read_sheet(path, MONDAY)


def as_exported(tasks, user=1, later=None):
    """What the server makes of tasks: its own numbers, users and times around what was sent."""
    exported = []
    for number, task in enumerate(tasks, start=1):
        annotations = [
            {
                **annotation,
                "id": 10 * number,
                "completed_by": user,
                "created_at": "2026-05-01T00:00:00.000001Z",
                "updated_at": later or "2026-05-01T00:00:00.020000Z",
                **({"updated_by": 2} if later else {}),
            }
            for annotation in task["annotations"]
        ]
        exported.append({**task, "id": number, "annotations": annotations})
    return exported


def test_label_studio_tasks_keep_every_row_rater_and_time():
    told = many_judgments()
    rows = [
        {"id": row, "text": ODD[0], "answer": "a", "probability": 0.25, "page": ODD[2]}
        for row in dict.fromkeys(one.row for one in told)
    ]
    queue = plan_queue(read_items(rows, "f"), 1000)
    tasks = json.loads(write_tasks(queue, told))
    assert tasks[0]["predictions"][0]["score"] == 0.25
    assert sorted(read_tasks(as_exported(tasks), "f", {}), key=str) == sorted(told, key=str)
    assert sorted(read_items(read_items_of(tasks, "f"), "f"), key=str) == sorted(queue.items, key=str)


def test_what_was_changed_on_the_server_is_the_judgment_of_who_changed_it():
    queue = plan_queue(items({}), 1)
    sent = json.loads(write_tasks(queue, [judged(0, "ann", "b", seconds=3.0)]))
    (kept,) = read_tasks(as_exported(sent), "f", {})
    assert kept == judged(0, "ann", "b", seconds=3.0)
    (changed,) = read_tasks(as_exported(sent, later="2026-05-02T00:00:00Z"), "f", {2: "eve"})
    assert (changed.rater, changed.time) == ("eve", datetime(2026, 5, 2, tzinfo=UTC))


def test_annotations_made_on_the_server():
    result = [{"from_name": "answer", "to_name": "text", "type": "choices", "value": {"choices": ["b"]}}]
    made = {"result": result, "created_at": "2026-05-01T00:00:00Z", "lead_time": 4.5}
    task = {"data": {"id": "7"}, "annotations": []}

    def read(*annotations):
        return read_tasks([{**task, "annotations": list(annotations)}], "f", {5: "bob"})

    time = datetime(2026, 5, 1, tzinfo=UTC)
    assert read({**made, "completed_by": 5}) == [Judgment("7", "bob", "b", time, 4.5)]
    assert read({**made, "completed_by": 6})[0].rater == "user 6"
    assert read({**made, "completed_by": {"id": 6, "email": "eve@x"}})[0].rater == "eve@x"
    assert (
        read({**made, "completed_by": 5, "was_cancelled": True}, {**made, "completed_by": 5, "result": []})
        == []
    )
    with pytest.raises(DataError, match=r"expected one answer in an annotation, got 2"):
        read({**made, "completed_by": 5, "result": [{**result[0], "value": {"choices": ["a", "b"]}}]})
    for wrong in ({}, [{}], [{"data": {"id": 1}}], [{"data": {"id": 1}, "annotations": [4]}]):
        with pytest.raises(DataError):
            read_tasks(wrong, "f", {})


def test_rows_are_decided_by_more_than_half_or_by_an_adjudicator():
    told = [
        *(judged(1, rater, "a") for rater in "xyz"),
        *(judged(2, rater, answer) for rater, answer in zip("xyz", "aab", strict=True)),
        judged(3, "x", "a"), judged(3, "y", "b"),
        judged(4, "x", "a"),
        judged(5, "x", "a"), judged(5, "y", "b"), judged(5, "judge", "c", day=1),
        judged(6, "x", "a"), judged(6, "x", "b", day=1), judged(6, "y", "b"),
    ]  # fmt: skip
    found = {one.row: (one.answer, one.how) for one in decide_rows(told, ["judge"])}
    assert found == {
        "1": ("a", "agreed"), "2": ("a", "majority"), "3": (None, "open"), "4": ("a", "single"),
        "5": ("c", "adjudicated"), "6": ("b", "agreed"),
    }  # fmt: skip
    with pytest.raises(BadInputError, match=r"unknown rater 'jugde' .did you mean 'judge'"):
        decide_rows(told, ["jugde"])


def test_agreement_of_named_answers():
    told = [
        judged(row, rater, answer)
        for row, answers in enumerate(["aa", "ab", "bb", "aa"])
        for rater, answer in zip("xy", answers, strict=True)
    ]
    found = measure_agreement(told)
    assert found.answers == ("a", "b") and set(found.pairs) == {("x", "y")}
    assert found.pairs["x", "y"].value == pytest.approx(0.5) and found.alpha.units == 4
    numbers = [
        judged(row, rater, answer)
        for row, answers in enumerate([("2", "10"), ("9", "9"), ("10", "2")])
        for rater, answer in zip("xy", answers, strict=True)
    ]
    assert measure_agreement(numbers, "ordinal").answers == ("2", "9", "10")
    assert measure_agreement(told, "ordinal", ["b", "a"]).answers == ("b", "a")
    with pytest.raises(BadInputError, match="level interval needs answers that are numbers"):
        measure_agreement(told, "interval")
    with pytest.raises(BadInputError, match="order: unknown answer 'b'"):
        measure_agreement(told, "ordinal", ["a"])


def raters(seed, broken=(), rows=400):
    """Three raters of every row, right in 9 of 10; from the middle on a broken one is right in 6 of 10."""
    rng, told = random.Random(seed), []
    for row in range(rows):
        day = 28 * row / rows
        for rater in ("ann", "bob", "cid"):
            right = 0.6 if rater in broken and day >= 14 else 0.9
            told.append(judged(row, rater, "a" if rng.random() < right else "b", day=day))
    return told


def test_a_rater_who_drifts_is_named_and_others_are_not():
    since = MONDAY + timedelta(days=14)
    for seed in range(4):
        assert [one.rater for one in find_drift(raters(seed, ["bob"]), since) if one.drifted] == ["bob"]
        known = {str(row): "a" for row in range(400)}
        assert [
            one.rater for one in find_drift(raters(seed, ["bob"]), since, known=known) if one.drifted
        ] == ["bob"]
    assert sum(any(one.drifted for one in find_drift(raters(seed), since, 0.0)) for seed in range(40)) <= 4
    alone = find_drift([judged(1, "ann", "a")], since)
    assert alone[0].fall is None and not alone[0].drifted and alone[0].before == (0, 0)


def test_backlog_forecast():
    weeks = forecast_backlog(80_000, 18_000, 4)
    assert [week.backlog for week in weeks] == [62_000, 124_000, 186_000, 248_000]
    assert weeks[-1].delay_days == pytest.approx(7 * 248_000 / 18_000)
    assert [week.backlog for week in forecast_backlog(10, 25, 3, backlog=20)] == [5, 0, 0]
    assert forecast_backlog(10, 0, 1)[0].delay_days is None
    assert capacity_to_clear(10, 20, 2) == 20
    for wrong in ((-1, 1, 1), (1, 1, 0), (float("inf"), 1, 1)):
        with pytest.raises(BadInputError):
            forecast_backlog(*wrong)


def test_waits_of_what_was_reviewed_and_of_what_still_waits():
    day = timedelta(days=1)
    found = measure_waits([MONDAY] * 4, [MONDAY + day, MONDAY + 3 * day, None, None], MONDAY + 10 * day)
    assert (found.reviewed, found.waiting) == (2, 2)
    assert (found.median_delay_days, found.median_waiting_days) == (2.0, 10.0)
    with pytest.raises(BadInputError, match="row 1 was reviewed before it came in"):
        measure_waits([MONDAY], [MONDAY - day], MONDAY)


def test_health_of_rows_and_judgments():
    rows = items(*[{"arrived": (MONDAY + timedelta(days=place % 14)).isoformat()} for place in range(28)])
    told = [judged(row, rater, "ab"[row % 2], day=14) for row in range(14) for rater in "xy"]
    found = measure_health(rows, told, MONDAY + timedelta(days=15), weeks=2)
    assert (found.weekly_incoming, found.weekly_reviewed, found.backlog) == (12.0, 7.0, 14)
    assert found.agreement.value == 1.0
    assert measure_health(rows, told[::2], MONDAY + timedelta(days=15)).agreement is None
    with pytest.raises(BadInputError, match=r"is of row '99'"):
        measure_health(rows, [judged(99, "x", "a")], MONDAY + timedelta(days=15))
    with pytest.raises(BadInputError, match="has no 'arrived'"):
        measure_health(items({}), [], MONDAY)


def corrected(count, planted=True, seed=0):
    rng = random.Random(seed)
    words = ["please", "order", "box", "want", "help", "today", "parcel", "shop", "title", "still"]
    rows = []
    for place in range(count):
        text, answer, slice_name = " ".join(rng.sample(words, 4)), "faq", rng.choice(["en", "de"])
        right = "faq" if rng.random() < 0.9 else rng.choice(["order", "return"])
        if planted and place % 6 == 0:
            text, right = f"{text} charge back {rng.choice(words)}", "dispute"
        if planted and place % 6 == 1:
            slice_name = "pt"
            right = "faq" if rng.random() < 0.3 else "order"
        rows.append(Corrected(f"r{place}", text, answer, right, slice_name))
    return rows


def test_repeated_corrections_become_rules_and_chance_does_not():
    found = propose_rules(corrected(600))
    assert [(one.phrase, one.label) for one in found if one.kind == "rule"] == [("charge back", "dispute")]
    assert [one.slice for one in found if one.kind == "risky"] == ["pt"]
    assert all(one.corrections >= 60 and one.least >= 0.3 for one in found)
    assert list_repeated(corrected(600))[0][:2] in {("faq", "dispute"), ("faq", "order")}
    assert sum(bool(propose_rules(corrected(200, planted=False, seed=seed))) for seed in range(10)) <= 1


def test_times_are_read_as_utc():
    assert read_time("2026-03-02", "x") == MONDAY == read_time(MONDAY.replace(tzinfo=None), "x")
    assert read_time("2026-03-02T01:00:00+01:00", "x") == MONDAY
