"""What was taken back comes back for newer test rows in the harmed slice, or on a person's word."""

import json

import pytest

from edgekd.errors import BadInputError, HarmedError, LedgerError
from edgekd.gate.harm import Harm
from edgekd.gate.history import read_history
from edgekd.gate.ledger import read_ledger, verify_ledger
from edgekd.gate.objects import object_path
from edgekd.gate.rows import digest_rows, read_rows
from edgekd.gate.terms import Terms, find_barred
from edgekd.store import digest_json

OLD = {"overall": ["where is it", "refund", "hello"], "ios": ["where is it", "refund"]}


def take_back(shop, *slices, by="live traffic"):
    """Promote a and b on the old rows, then take b back."""
    rows = shop.judge_on(**OLD)
    shop.promote("a", rows=rows)
    shop.promote("b", rows=rows)
    return shop.rollback(harm=Harm(by, "hits fell", dict.fromkeys(slices, "")))


def test_the_next_run_does_not_promote_it_again(shop):
    """On 2d017b4 this promotes: latency measured again was evidence enough."""
    done = take_back(shop, "ios")
    _, digest = shop.artifact("b")
    rows = shop.judge_on(**OLD)
    known = {digest: "m", shop.artifact("a")[1]: "n"}
    barred = find_barred(shop.registry, "shop", "t", known, Terms(rows=rows))
    assert list(barred) == [digest]
    with pytest.raises(HarmedError, match=r"taken back by line 3 .*live traffic: hits fell.*newer.* in ios"):
        shop.promote("b", rows=rows)
    assert done.entry.harm.slices.keys() == {"ios"}
    assert shop.current() == "a"
    shop.promote("c", rows=rows)  # another one may be
    assert shop.events()[-1] == ("promote", "c")


def test_newer_rows_must_be_in_the_harmed_slice(shop):
    take_back(shop, "ios")
    elsewhere = shop.judge_on(**{**OLD, "overall": [*OLD["overall"], "a new row"]})
    with pytest.raises(HarmedError, match="in ios"):
        shop.promote("b", rows=elsewhere)
    same = shop.judge_on(overall=OLD["overall"], ios=["  Where IS it", "refund", "refund"])
    with pytest.raises(HarmedError, match="in ios"):  # the same texts in another spelling, or fewer
        shop.promote("b", rows=same)
    newer = shop.judge_on(**{**OLD, "ios": [*OLD["ios"], "cannot pay on my phone"]})
    done = shop.promote("b", rows=newer)
    assert done.entry.again == "newer test rows in ios, against line 3"
    assert find_barred(shop.registry, "shop", "t", {shop.artifact("b")[1]: "m"}, Terms()) == {}
    shop.verify()


def test_every_harmed_slice_needs_newer_rows(shop):
    take_back(shop, "ios", "overall")
    rows = shop.judge_on(**{**OLD, "overall": [*OLD["overall"], "a new row"]})
    with pytest.raises(HarmedError, match="newer test rows in ios, or"):
        shop.promote("b", rows=rows)


def test_an_equal_model_with_another_digest_is_no_other_one(shop):
    """One row more anywhere in the data gives every artifact another digest: its manifest names the data."""
    rows = shop.judge_on(**OLD)
    shop.promote("a", rows=rows, model="1" * 64)
    shop.promote("b", rows=rows, model="2" * 64)
    shop.rollback(harm=Harm("live traffic", "fell", {"ios": ""}))
    elsewhere = shop.judge_on(**{**OLD, "overall": [*OLD["overall"], "a row elsewhere"]})
    with pytest.raises(HarmedError, match="the same model with another digest, was taken back by line 3"):
        shop.promote("c", rows=elsewhere, model="2" * 64)
    assert shop.promote("c", rows=rows, model="3" * 64).entry.again is None
    newer = shop.judge_on(ios=["a newer row"])
    assert (
        shop.promote("d", rows=newer, model="2" * 64).entry.again == "newer test rows in ios, against line 3"
    )


def test_a_persons_word_is_enough_and_written_down(shop):
    take_back(shop, "ios")
    done = shop.promote("b", again=True)
    assert done.entry.again == "a person's word, against line 3"
    assert read_ledger(shop.ledger)[-1].again == done.entry.again
    assert shop.promote("c", again=True).entry.again is None  # it was never taken back


def test_of_latency_no_row_says_anything(shop):
    take_back(shop, "p95_ms")
    newer = shop.judge_on(**{name: [*rows, f"new in {name}"] for name, rows in OLD.items()})
    with pytest.raises(HarmedError, match="in p95_ms, or a person's word"):
        shop.promote("b", rows=newer)


def test_a_rollback_by_a_person_without_a_slice_is_of_all_rows(shop):
    rows = shop.judge_on(**OLD)
    shop.promote("a", rows=rows)
    shop.promote("b", rows=rows)
    harm = shop.rollback().entry.harm
    assert (harm.by, list(harm.slices)) == ("a person", ["overall"])
    with pytest.raises(HarmedError, match="newer test rows in overall"):
        shop.promote("b", rows=rows)
    newer = shop.judge_on(**{**OLD, "overall": [*OLD["overall"], "new"]})
    assert shop.promote("b", rows=newer).entry.again == "newer test rows in overall, against line 3"


def test_rows_of_runs_that_kept_it_are_not_newer(shop):
    """A run between promotion and harm judged it on more rows, and wrote no line."""
    rows = shop.judge_on(**OLD)
    shop.promote("a", rows=rows)
    shop.promote("b", rows=rows)
    later = shop.judge_on(**{**OLD, "ios": [*OLD["ios"], "seen before the harm"]})
    assert not shop.promote("b", rows=later).changed
    shop.rollback(harm=Harm("live traffic", "fell", {"ios": ""}))
    with pytest.raises(HarmedError, match="in ios"):
        shop.promote("b", rows=later)


def test_a_rollback_passes_over_what_was_taken_back(shop):
    take_back(shop, "ios")  # b
    shop.promote("b", again=True)
    shop.promote("c")
    shop.rollback()  # c, to b
    shop.promote("c", again=True)
    shop.promote("a")
    shop.rollback()  # a, to c
    shop.rollback()  # c, to b
    history = read_history(shop.registry, "shop", "t")
    assert shop.current() == "b"
    assert set(history.taken_back) == {shop.artifact("a")[1], shop.artifact("c")[1]}
    assert history.earlier is None  # the a below was taken back
    with pytest.raises(BadInputError, match="no earlier version"):
        shop.rollback()


def test_the_list_of_rows_is_kept_and_checked(shop):
    harm = take_back(shop, "ios").entry.harm
    path = object_path(shop.registry, harm.slices["ios"])
    assert path.is_file()
    assert read_rows(shop.registry / "shop" / "t")["ios"] == digest_rows(OLD["ios"])
    shop.verify()
    path.write_text("[]")
    with pytest.raises(LedgerError, match=r"test rows of ios.* was changed"):
        shop.verify()
    with pytest.raises(LedgerError, match="was changed"):
        shop.promote("b", rows=shop.judge_on(ios=["new"]))


def test_ledgers_of_before_are_read_and_bar_too(shop):
    """Lines as 2d017b4 wrote them: they replay, verify, and what they took back stays so."""
    digests = {name: shop.artifact(name)[1] for name in "ab"}
    previous, lines = "0" * 64, []
    for number, (event, name) in enumerate([("promote", "a"), ("promote", "b"), ("rollback", "a")], 1):
        fields = {
            "sequence": number, "time_utc": "2026-01-01T00:00:00.000+00:00", "previous": previous,
            "event": event, "project": "shop", "target": "t", "variant": name,
            "artifact_digest": digests[name], "verdict_digest": "b" * 64, "evidence": {},
            "data_digest": "d" * 64, "seed": 0, "environment": "machine",
        }  # fmt: skip
        previous = digest_json(fields)
        lines.append(json.dumps({**fields, "digest": previous}, sort_keys=True, separators=(",", ":")))
    shop.ledger.parent.mkdir(parents=True, exist_ok=True)
    shop.ledger.write_text("".join(f"{line}\n" for line in lines))
    assert verify_ledger(shop.ledger) == 3
    history = read_history(shop.registry, "shop", "t")
    assert (history.current, set(history.taken_back)) == (digests["a"], {digests["b"]})
    (shop.registry / "shop" / "t" / "versions").mkdir(parents=True)
    (shop.artifact("a")[0]).rename(shop.registry / "shop" / "t" / "versions" / digests["a"][:12])
    with pytest.raises(HarmedError, match="taken back by line 3"):
        shop.promote("b", rows=shop.judge_on(overall=["new"]))
    assert shop.promote("b", again=True).entry.replaces == digests["a"]
    assert verify_ledger(shop.ledger) == 4
