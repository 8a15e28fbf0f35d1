import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekd.serve_log import Asked, LogPolicy
from edgekd.serve_log.record import make_record

KEY = b"a key of twenty bytes"
SAID = {"label": "faq", "probability": 0.8, "probabilities": {"faq": 0.8, "buy": 0.15, "sell": 0.05}}
ALL = LogPolicy(KEY, full_share=1.0, risky=("safety",), cohorts=("beta",))


def test_each_mode_keeps_what_it_says():
    asked = Asked("r1", "i am ana@example.org", 3.25, "5f0c5f0c5f0c", tokens=["i", "am"])
    compact = make_record(asked, SAID, LogPolicy(KEY, full_share=0), 100.0)
    assert compact["mode"] == "compact"
    assert compact["margin"] == pytest.approx(0.65)
    assert (compact["label"], compact["milliseconds"], compact["time"]) == ("faq", 3.25, 100.0)
    assert {"text", "probabilities", "tokens"}.isdisjoint(compact)
    full = make_record(asked, SAID, ALL, 100.0)
    assert (full["mode"], full["text"], "tokens" in full) == ("full", "i am <EMAIL>", False)
    forensic = Asked("r1", "x", 1.0, "m", ["safety"], {"cohort": "beta"}, tokens=["a@b.de", "x"])
    assert make_record(forensic, SAID, ALL, 0.0)["tokens"] == ["<EMAIL>", "x"]


@given(st.text(max_size=60), st.sampled_from(["device", "region", "cohort", "something"]))
def test_nothing_that_is_written_freely_reaches_a_compact_record(rest, name):
    free = f"Zq xJ{rest}"
    asked = Asked(free, free, 1.0, free, [free], {name: free}, user=free, tokens=[free, free])
    assert "Zq xJ" not in json.dumps(make_record(asked, SAID, ALL, 0.0, compact=True))


def test_long_numbers_of_a_caller_are_not_kept():
    asked = Asked(
        "r", "t", 1.0, "m", ["card4111111111111111"], {"device": "0171-1234567", "region": "eu-west-1"}
    )
    record = make_record(asked, {}, ALL, 0.0, compact=True)
    assert (record["slices"], record["device"], record["region"]) == (["other"], "other", "eu-west-1")


def test_a_ranking_keeps_how_many_candidates_there_were():
    record = make_record(Asked("r", "q", 1.0, "m"), {"order": [1, 0], "scores": [0.1, 0.2]}, ALL, 0.0)
    assert (record["candidates"], record["order"]) == (2, [1, 0])
