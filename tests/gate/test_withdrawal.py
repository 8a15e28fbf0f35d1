"""What a verdict proves harmful is withdrawn, and what the newest verdict fails is known."""

import json
from dataclasses import replace

import pytest

from edgekd.errors import BadInputError, LedgerError, StaleError
from edgekd.gate.checks import Check
from edgekd.gate.harm import Harm
from edgekd.gate.history import read_history
from edgekd.gate.promotion import record_no_promotion
from edgekd.gate.standing import find_standing, record_shipped
from edgekd.gate.verdict import VariantVerdict
from edgekd.gate.withdrawal import find_harm, withdraw
from edgekd.store import write_atomic


def failing(make, digest, *checks):
    listed = tuple(Check(name, status, "", "", "") for name, status in checks)
    entry = VariantVerdict("incumbent", digest, "fail", listed)
    return replace(make.verdict(digest), variants=(entry,), promoted=None, promoted_digest=None)


def take(shop, make, name, back_to=None, harm=None):
    digest = shop.artifact(name)[1]
    verdict = failing(make, digest, ("quality overall", "fail"))
    keep(shop, verdict)
    harm = harm or find_harm(verdict, digest, ["overall"])
    back_to = back_to and shop.artifact(back_to)[1]
    return withdraw(
        shop.registry, "shop", verdict, make.PROVENANCE, expects=digest, harm=harm, back_to=back_to
    )


def keep(shop, verdict):
    path = shop.registry / "shop" / "t" / "verdicts" / f"{verdict.digest[:12]}.json"
    write_atomic(path, json.dumps(verdict.to_json()))
    return path


@pytest.mark.parametrize(
    ("checks", "slices"),
    [
        ([("quality ios", "fail"), ("quality overall", "pass")], {"ios"}),
        ([("quality ios", "fail"), ("quality overall", "fail")], {"ios", "overall"}),
        ([("floor safety:self_harm", "fail")], {"safety"}),
        ([("ece", "fail")], {"overall"}),
        ([("p95_ms", "fail"), ("artifact_mib", "fail")], None),  # a busy machine, or a limit: no harm
        ([("quality ios", "inconclusive")], None),
    ],
)
def test_harm_is_what_the_verdict_proves_of_answers(make, checks, slices):
    digest = make.digest_of("a")
    verdict = failing(make, digest, *checks)
    harm = find_harm(verdict, digest, ["overall", "ios", "safety"])
    assert (None if harm is None else set(harm.slices)) == slices
    assert find_harm(verdict, make.digest_of("b"), ["overall"]) is None
    assert find_harm(verdict, None, ["overall"]) is None


def test_a_failing_incumbent_is_withdrawn_and_nothing_is_promoted(shop, make):
    """On 2d017b4 it stays current."""
    shop.promote("a")
    entry = take(shop, make, "a")
    assert (entry.event, entry.artifact_digest, entry.replaces) == ("withdraw", "", shop.artifact("a")[1])
    assert entry.harm.by == "a verdict"
    assert shop.current() is None
    with pytest.raises(BadInputError, match="no earlier version"):
        shop.rollback(expects="0" * 64)
    done = shop.promote("a")  # a newer verdict passes it
    assert done.entry.again == "a newer verdict passes it, against line 2"
    assert (done.entry.replaces, shop.current()) == ("", "a")
    for name in "abc":
        keep(shop, make.verdict(shop.artifact(name)[1], variant=name))
    shop.verify()


def test_it_goes_back_to_an_earlier_version_that_passes(shop, make):
    for name in "abc":
        shop.promote(name)
    take(shop, make, "c", back_to="a")  # b does not pass, either
    assert shop.current() == "a"
    history = read_history(shop.registry, "shop", "t")
    assert history.earlier is None and set(history.taken_back) == {shop.artifact("c")[1]}
    with pytest.raises(BadInputError, match="is no earlier version"):
        take(shop, make, "a", back_to="c")


def test_what_was_promoted_meanwhile_is_left_alone(shop, make):
    shop.promote("a")
    shop.promote("b")
    with pytest.raises(StaleError):
        take(shop, make, "a")
    assert shop.current() == "b"


def test_a_replaced_one_that_fails_is_no_version_to_go_back_to(shop, make):
    shop.promote("a")
    shop.promote("b")
    shop.promote("c", harm=Harm("a verdict", "fails quality ios", {"ios": ""}))  # of b
    assert shop.rollback().variant == "a"


def test_a_withdrawal_killed_at_any_step_is_completed(shop, make, tmp_path):
    """The pointer follows the ledger, also to nowhere."""
    shop.promote("a")
    link = shop.registry / "shop" / "t" / "current"
    target = link.readlink()
    take(shop, make, "a")
    link.symlink_to(target)  # as after a kill between the ledger and the pointer
    with pytest.raises(LedgerError, match="points at"):
        shop.verify()
    shop.promote("b", expects=None)
    assert shop.current() == "b"


def test_the_newest_verdict_that_judged_it_is_found(shop, make):
    shop.promote("a")
    digest = shop.artifact("a")[1]
    keep(shop, make.verdict(digest, variant="a"))
    assert find_standing(shop.registry, "shop", "t", digest).objection == ""
    assert find_standing(shop.registry, "shop", "t", shop.artifact("b")[1]) is None
    slow = failing(make, digest, ("p95_ms", "fail"), ("quality overall", "pass"))
    path = keep(shop, slow)
    record_no_promotion(shop.registry, "shop", slow, make.PROVENANCE)
    standing = find_standing(shop.registry, "shop", "t", digest)
    assert standing.objection == ("the newest verdict that judged it (line 2 of the ledger) fails p95_ms")
    entry = record_shipped(shop.registry, standing, digest, "bundle")
    assert (entry.event, entry.shipped, entry.artifact_digest) == ("shipped anyway", "bundle", digest)
    assert entry.verdict_digest == slow.digest
    assert find_standing(shop.registry, "shop", "t", digest).objection == standing.objection
    shop.promote("a")  # passes again: a line says so
    assert shop.events()[-1] == ("keep", "a")
    assert find_standing(shop.registry, "shop", "t", digest).objection == ""
    shop.verify()
    path.write_text(path.read_text().replace("fail", "pass"))
    with pytest.raises(LedgerError, match="was changed"):
        shop.verify()
