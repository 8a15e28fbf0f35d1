"""Claims are held against rules over rows and records: true, false, null and no record at all."""

import json

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from edgekd.config import ClaimRule, Claims, Records
from edgekd.curate.claims.check import Claimed, check_claims, check_rules
from edgekd.curate.claims.fields import FieldClaim, check_fields, read_field_claims
from edgekd.curate.claims.records import open_records
from edgekd.curate.claims.verdict import VERDICTS, decide_claims
from edgekd.errors import BadInputError, ConfigError, DataError, SliceError

ORDERS = [
    {"number": 1, "state": "delivered"},
    {"number": 2, "state": "cancelled"},
    {"number": 3, "state": None},
]
ROWS = pa.table({"text": list("abcde"), "order_id": ["1", "2", "3", "99", None]})


@pytest.fixture
def orders(tmp_path):
    pq.write_table(pa.Table.from_pylist(ORDERS), tmp_path / "orders.parquet")
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as connection:
        connection.execute(
            "CREATE TABLE orders AS SELECT * FROM read_parquet($1)", [f"{tmp_path}/orders.parquet"]
        )
        connection.execute("CREATE VIEW seen AS SELECT * FROM orders")
    (tmp_path / "orders.csv").write_text("number,state\n1,delivered\n2,cancelled\n4,\n")
    (tmp_path / "orders.jsonl").write_text("\n".join(json.dumps(one) for one in ORDERS))
    return tmp_path


def settings(holds="parcel.state <> 'cancelled'", claims=("return",), source="orders.parquet", **more):
    records = {"parcel": Records(source=source, row="order_id", key="number", **more)}
    return Claims(records=records, rules=(ClaimRule(name="not-cancelled", claims=claims, holds=holds),))


def claimed(*claims):
    return Claimed(np.arange(len(claims)), claims, np.full(len(claims), 0.95))


def verdicts(checked):
    return [VERDICTS[one] for one in checked.verdicts]


@pytest.mark.parametrize(
    "source", [{}, {"source": "shop.duckdb", "table": "orders"}, {"source": "shop.duckdb", "table": "seen"},
               {"source": "orders.jsonl"}],
)  # fmt: skip
def test_true_false_null_and_no_record(orders, source):
    found = check_claims(ROWS, claimed(*["return"] * 5), settings(**source), orders)
    assert verdicts(found) == ["supported", "contradicted", "unsupported", "unsupported", "unsupported"]
    assert set(found.rules) == {"not-cancelled"}
    assert found.count() == {"unchecked": 0, "supported": 1, "contradicted": 1, "unsupported": 3}


def test_what_no_rule_speaks_of_is_unchecked(orders):
    found = check_claims(ROWS, claimed("faq", "return", "faq", "faq", "faq"), settings(), orders)
    assert verdicts(found) == ["unchecked", "contradicted", *["unchecked"] * 3]
    assert found.rules == ("", "not-cancelled", "", "", "")


@pytest.mark.parametrize(
    "holds",
    [
        "parcel.state IS NULL OR parcel.state <> 'cancelled'",
        "rows.parcel.state IS NULL",
        "(SELECT p.state FROM (SELECT parcel AS p)) IS NULL",
    ],
)
def test_a_record_that_is_not_there_supports_nothing(orders, holds):
    """Whatever a rule makes of nulls: a missing record is no record with empty fields."""
    found = verdicts(check_claims(ROWS, claimed(*["return"] * 5), settings(holds), orders))
    assert found[2] == "supported" and found[3:] == ["unsupported", "unsupported"]


def test_the_worst_of_several_rules_counts_and_columns_of_rows_can_be_read(orders):
    rules = (
        ClaimRule(name="known", holds="text <> 'b'"),
        ClaimRule(name="paid", claims=("return",), holds="parcel.state = 'delivered'"),
        ClaimRule(name="sure", holds="confidence > 0.5 AND claim <> 'nothing'"),
    )
    how = Claims(records=settings().records, rules=rules)
    found = check_claims(ROWS, claimed("return", "faq", "return", "faq", "nothing"), how, orders)
    assert verdicts(found) == ["supported", "contradicted", "unsupported", "supported", "contradicted"]
    assert found.rules == ("known", "known", "paid", "known", "sure")


def test_of_nothing_there_is_no_verdict(orders):
    assert len(check_claims(ROWS, claimed(), settings(), orders).verdicts) == 0
    check_rules(ROWS, settings(), orders, ("return", "faq"))


@pytest.mark.parametrize(
    ("how", "error", "said"),
    [
        ({"source": "gone.parquet"}, DataError, "parcel: .*gone.parquet: there is no such"),
        ({"source": "shop.duckdb", "table": "order"}, ConfigError, "unknown table 'order' .did you mean"),
        ({"holds": "parcel.status = 'x'"}, SliceError, "'not-cancelled': holds: where is not a pre"),
        ({"holds": "package.state = 'x'"}, SliceError, "where is not a predicate"),
        ({"holds": "random() < 0.5"}, SliceError, r"where reads random\(\)"),
        ({"holds": "parcel.state"}, SliceError, "must be true or false"),
        ({"holds": "true) OR (true"}, SliceError, "where"),
        ({"claims": ("retrun",)}, ConfigError, "unknown class 'retrun' .did you mean 'return'"),
    ],
)  # fmt: skip
def test_what_cannot_be_checked_is_one_line(orders, how, error, said):
    with pytest.raises(error, match=said) as raised:
        check_rules(ROWS, settings(**how), orders, ("return", "faq"))
    assert "\n" not in str(raised.value)


def test_records_that_cannot_be_told_apart_or_found(orders):
    def check(**columns):
        pq.write_table(pa.table(columns), orders / "orders.parquet")
        check_claims(ROWS, claimed(*["return"] * 5), settings(), orders)

    with pytest.raises(DataError, match="records 1 and 3 are both called '1'"):
        check(number=[1, 2, 1], state=["a", "b", "c"])
    with pytest.raises(DataError, match="record 2: column 'number' is empty"):
        check(number=[1, None], state=["a", "b"])
    with pytest.raises(
        DataError, match=r"none of 4 rows names a record: their 'order_id' is as '1', and .* 'no-1'"
    ):
        check(number=["no-1", "no-2"], state=["a", "b"])
    with pytest.raises(DataError, match=r"none of 4 rows names a record"):
        check_rules(ROWS, settings(), orders)
    with pytest.raises(ConfigError, match=r"claims.records.parcel.key: .*unknown column 'number'"):
        check(nummer=[1, 2], state=["a", "b"])
    check(number=[1.0, 2.0], state=["a", "b"])  # as files write whole numbers beside empty ones
    (orders / "shop.duckdb").write_bytes(b"no database")
    with pytest.raises(DataError, match=r"is no DuckDB database"):
        check_rules(ROWS, settings(source="shop.duckdb", table="orders"), orders)


def test_names_that_rules_could_not_use(orders):
    one = Records(source="orders.parquet", row="order_id", key="number")
    rule = ClaimRule(name="a", holds="true")
    with pytest.raises(ConfigError, match="'order' is a word of SQL"):
        check_rules(ROWS, Claims(records={"order": one}, rules=(rule,)), orders)
    with pytest.raises(ConfigError, match="the rows have a column 'text' already"):
        check_rules(ROWS, Claims(records={"text": one}, rules=(rule,)), orders)
    wrong = one.model_copy(update={"row": "orderid"})
    with pytest.raises(ConfigError, match=r"parcel.row: unknown column 'orderid' .did you mean"):
        check_rules(ROWS, Claims(records={"parcel": wrong}, rules=(rule,)), orders)
    with pytest.raises(ValueError, match="cannot be called 'claim'"):
        Claims(records={"claim": one}, rules=(rule,))
    with pytest.raises(ValueError, match="rule 'a' is listed twice"):
        Claims(rules=(rule, rule))
    with pytest.raises(ValueError, match="table is missing"):
        Records(source="a.duckdb", row="x", key="y")


def test_what_becomes_of_claims():
    how = Claims(rules=(ClaimRule(name="a", holds="true"),), confident=0.9, weight=0.3)
    codes = np.array(
        [VERDICTS.index(one) for one in ("unchecked", "supported", "contradicted", *["unsupported"] * 2)]
    )
    found = decide_claims(codes.astype(np.int8), np.array([0.1, 0.1, 1.0, 0.9, 0.899]), how)
    assert found.count() == {"keep": 2, "weigh": 1, "review": 1, "reject": 1}
    assert found.trust.tolist() == pytest.approx([1, 1, 0, 0.3, 0])


def test_fields_of_records(tmp_path):
    table = {
        "title": ["Tidecaller", "Ｎightjar"],
        "volumes": [12, None],
        "price": [9.99, 7.5],
        "genres": [["comedy", "School"], []],
    }
    pq.write_table(pa.table(table), tmp_path / "shelf.parquet")
    records = open_records("book", Records(source="shelf.parquet", row="subject", key="title"), tmp_path)
    claims = {
        FieldClaim("Tidecaller", "volumes", "12"): "supported",
        FieldClaim("Tidecaller", "volumes", 13): "contradicted",
        FieldClaim("Tidecaller", "price", "9.990"): "supported",
        FieldClaim("Tidecaller", "genres", "school"): "supported",
        FieldClaim("Tidecaller", "genres", "horror"): "contradicted",
        FieldClaim("Tidecaller", "author", "A"): "unsupported",
        FieldClaim("Ｎightjar", "volumes", 3): "unsupported",
        FieldClaim("Ｎightjar", "genres", "drama"): "unsupported",
        FieldClaim("Moonrise", "volumes", 3): "unsupported",
        FieldClaim("Tidecaller", "volumes", 12, ("Ｎightjar",)): "unsupported",
        FieldClaim("Tidecaller", "volumes", 12, ("Tidecaller",)): "supported",
    }
    assert verdicts(check_fields(list(claims), records)) == list(claims.values())
    with pytest.raises(BadInputError, match="row 2: 'value' is empty"):
        read_field_claims([{"subject": "a", "field": "b", "value": 0}, {"subject": "a", "field": "b"}], "f")
