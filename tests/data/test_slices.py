import re
import time
from datetime import UTC, date, datetime

import duckdb
import pyarrow as pa
import pytest

from edgekd.config import Slice
from edgekd.data.slices import slice_masks
from edgekd.data.taskdata import TaskData
from edgekd.data.volatile import find_volatile
from edgekd.errors import SliceError

TABLE = pa.table(
    {
        "id": ["1", "2", "3"],
        "text": ["a b", "c", "d e f"],
        "label": ["x", "y", "x"],
        "split": ["test"] * 3,
        "device": ["web", None, "ios"],
        "noisy": [True, False, True],
    }
)
DATA = TaskData(TABLE, ("x", "y"))


def masks(where, **more):
    return slice_masks(DATA, [Slice(name="s", where=where, margin=1, **more)])["s"].tolist()


def test_predicates_over_columns():
    assert masks("device = 'ios'") == [False, False, True]
    assert masks("noisy and length(text) > 3") == [False, False, True]
    assert masks("device <> 'web'") == [False, False, True]  # null is not true
    assert masks("true") == [True] * 3


@pytest.mark.parametrize(
    "where",
    [
        "devise = 'ios'",
        "1",
        "device",
        "true; DROP TABLE rows",
        "true) FROM rows --",
        "(SELECT count(*) FROM '/etc/passwd') > 0",
        "exists(SELECT * FROM read_text('/etc/passwd'))",
        "exists(SELECT * FROM read_csv('/etc/passwd'))",
        "getenv('HOME') = '/root'",
        "exists(SELECT * FROM duckdb_settings())",
        "exists(SELECT * FROM information_schema.tables)",
        "",
    ],
)
def test_anything_but_a_predicate_over_the_rows_is_refused(where):
    with pytest.raises(SliceError, match="slice 's'"):
        masks(where)


def test_recall_of_an_unknown_class():
    with pytest.raises(SliceError, match="'z', which is not a class"):
        masks("true", recall_of=["z"])


STEADY = [
    "created < date '2026-01-01'",
    "year(created) = 2025 and day(seen) < 15",
    "seen - interval 1 day > timestamp '2020-01-01'",
    "seen::date = date '2025-06-01'",
    "age(seen, timestamptz '2020-01-01') > interval 400 days or age(created, timestamp '2020-01-01') is null",
    "strftime(seen, '%H') = '23'",
    "length(text) > (SELECT avg(length(text)) FROM rows)",
    "(WITH other AS (SELECT max(text) AS most FROM rows) SELECT most FROM other) = text",
    "list_contains(list_transform(string_split(text, ' '), lambda word: upper(word)), 'A')",
    "exists(SELECT * FROM unnest(string_split(text, ' ')) AS words(word) WHERE word = 'a')",
    "text NOT LIKE '%random()%' -- now()",
    "hash(id) % 2 = 0",
    "now = 'web'",
]


def dated():
    table = TABLE.append_column("created", pa.array([date(2025, 3, 1), None, date(2026, 3, 1)]))
    seen = [datetime(2025, 6, day, 23, 30, tzinfo=UTC) for day in (1, 2, 30)]
    table = table.append_column("seen", pa.array(seen))
    return TaskData(table.append_column("now", pa.array(["web", "ios", "web"])), ("x", "y"))


@pytest.mark.parametrize("where", STEADY)
def test_predicates_over_dates_lists_and_the_rows_themselves(where):
    masks = [slice_masks(dated(), [Slice(name="s", where=where, margin=1)])["s"].tolist() for _ in range(2)]
    assert masks[0] == masks[1]
    assert any(masks[0])


def test_a_time_with_a_zone_has_its_date_in_utc_wherever_it_is_evaluated(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        where = "seen::date = date '2025-06-01'"
        assert slice_masks(dated(), [Slice(name="s", where=where, margin=1)])["s"].tolist() == [
            True, False, False,
        ]  # fmt: skip
    finally:
        monkeypatch.undo()
        time.tzset()


CHANGING = [
    ("random() < 0.5", "random()"),
    ("Random() < 0.5", "random()"),
    ('"random"() < 0.5', "random()"),
    ("system.main.random() < 0.5", "random()"),
    ("device = 'ios' or hash(id || uuid()) % 2 = 0", "uuid()"),
    ("gen_random_uuid() IS NOT NULL", "gen_random_uuid()"),
    ("now() > seen", "now()"),
    ("now() AT TIME ZONE 'UTC' > created", "now()"),
    ("current_date > created", "current_date"),
    ("CURRENT_TIMESTAMP > seen", "CURRENT_TIMESTAMP"),
    ("localtimestamp > created", "localtimestamp"),
    ("extract(hour FROM current_time) < 12", "current_time"),
    ("today() > created", "today()"),
    ("get_current_timestamp() > seen", "get_current_timestamp()"),
    ("transaction_timestamp() > seen", "transaction_timestamp()"),
    ("age(created) > interval 1 year", "age()"),
    ("seen > ago(interval 30 days)", "ago()"),  # a macro over current_timestamp
    ("pg_postmaster_start_time() > seen", "pg_postmaster_start_time()"),
    ("txid_current() > 0", "txid_current()"),
    ("current_setting('threads') = '1'", "current_setting()"),
    ("getvariable('x') IS NULL", "getvariable()"),
    ("user = 'duckdb'", "user"),
    ("list_sum(list_transform([1], lambda x: random())) > 0.5", "random()"),
    ("id IN (SELECT id FROM rows ORDER BY random() LIMIT 1)", "random()"),
    ("id IN (SELECT id FROM rows USING SAMPLE 50%)", "a sample of rows"),
    ("(WITH dice AS (SELECT random() AS r) SELECT r FROM dice) > 0.5", "random()"),
    ("CASE WHEN device = 'ios' THEN random() > 0.5 ELSE false END", "random()"),
]


@pytest.mark.parametrize(("where", "named"), CHANGING)
def test_a_predicate_that_reads_no_data_the_same_twice_is_refused(where, named):
    with pytest.raises(SliceError, match=f"slice 's': where reads {re.escape(named)}, which") as caught:
        slice_masks(dated(), [Slice(name="s", where=where, margin=1)])
    assert "\n" not in str(caught.value)


def test_every_function_that_duckdb_calls_volatile_is_refused():
    """Whatever its arguments: what cannot be bound is refused in another way."""
    with duckdb.connect() as connection:
        names = connection.execute(
            "SELECT DISTINCT function_name, len(parameter_types) FROM duckdb_functions() "
            "WHERE stability = 'VOLATILE' AND function_name SIMILAR TO '[a-z_0-9]+'"
        ).fetchall()
    assert len(names) > 10
    for name, count in names:
        call = f"{name}({', '.join(['1'] * count)})"
        assert find_volatile(f"{call} IS NULL", ("id",)) == f"{name}()"


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (
            "(WITH RECURSIVE t AS (SELECT 1 AS a UNION ALL SELECT a FROM t) SELECT count(*) FROM t) > 0",
            "longer than",
        ),
        ("length(repeat(text, 1000000000)) > 0", r"repeat\(\) of more than 100,000"),
        ("length(repeat(text, length(text))) > 0", r"repeat\(\) of a length that is not written out"),
        ("length(repeat(repeat(text, 1000), 1000)) > 0", r"repeat\(\) of more than 100,000"),
        ("len(range(10000000000)) > 0", r"range\(\) of more than"),
        ("length(printf('%1000000000d', 1)) > 0", r"printf\(\) of more than"),
        ("length(lpad(text, cast('1000000000' as int), ' ')) > 0", r"lpad\(\) of"),
        ("unnest([true, false])", "one value a row"),
        ("(" * 5000 + "true", "nested deeper than 100"),
        ("not " * 3000 + "true", "expression depth"),
        ("true" + " and true" * 20_000, "20,000"),
    ],
)
def test_predicates_without_end_are_refused_in_seconds(monkeypatch, where, words):
    monkeypatch.setattr("edgekd.data.slices._SECONDS", 0.5)
    began = time.monotonic()
    with pytest.raises(SliceError, match=words) as caught:
        masks(where)
    assert time.monotonic() - began < 5 and len(str(caught.value)) < 1000
