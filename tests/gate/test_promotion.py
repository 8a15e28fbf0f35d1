from __future__ import annotations

import os
import random
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from edgekd.errors import ArtifactError, BadInputError, HarmedError, LedgerError, StaleError
from edgekd.gate.history import read_history
from edgekd.gate.ledger import read_ledger, verify_ledger
from edgekd.gate.promotion import Candidate, current, promote, record_no_promotion, settle

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def test_promoted_artifact_is_a_whole_copy_behind_a_relative_link(shop, make):
    done = shop.promote("a")
    assert (done.changed, done.variant, shop.current()) == (True, "a", "a")
    assert done.entry.evidence == make.PROVENANCE.evidence
    assert (shop.registry / "shop" / "t" / "current").readlink() == Path("versions") / done.artifact_digest[
        :12
    ]
    shutil.rmtree(shop.artifact("a")[0])
    moved = shop.registry.rename(shop.registry.with_name("moved"))
    assert (moved / "shop" / "t" / "current" / "manifest.json").read_text() == "a"


def test_promoting_what_is_promoted_writes_nothing(shop):
    first = shop.promote("a")
    before = shop.ledger.read_bytes()
    again = shop.promote("a")
    assert again == replace(first, changed=False)
    assert shop.ledger.read_bytes() == before


def test_rollbacks_and_promotions_are_a_stack(shop):
    for name in "abc":
        shop.promote(name)
    assert (shop.rollback().variant, shop.current()) == ("b", "b")
    shop.promote("d")
    assert shop.rollback().variant == "b"
    assert shop.rollback().variant == "a"
    with pytest.raises(BadInputError, match="no earlier version"):
        shop.rollback()
    assert shop.current() == "a"
    assert shop.events()[3:] == [("rollback", "b"), ("promote", "d"), ("rollback", "b"), ("rollback", "a")]
    assert verify_ledger(shop.ledger) == 7


def test_nothing_promoted_yet(shop):
    assert shop.current() is None
    assert not settle(shop.registry, "shop", "t")
    with pytest.raises(BadInputError, match="no earlier version"):
        shop.rollback()


def test_targets_are_apart(shop, make):
    shop.promote("a")
    folder, digest = shop.artifact("b")
    verdict = make.verdict(digest, target="u")
    promote(shop.registry, "shop", "u", Candidate(folder, digest), verdict, make.PROVENANCE, expects=None)
    assert shop.current() == "a"
    assert current(shop.registry, "shop", "u")[0] == digest


def test_a_verdict_must_promote_this_artifact_here(shop, make):
    _, digest = shop.artifact("a")
    other = make.verdict("0" * 64)
    nothing = replace(make.verdict(digest), promoted=None, promoted_digest=None)
    for verdict in (other, nothing, make.verdict(digest, target="gpu")):
        with pytest.raises(BadInputError, match="run the gate on it"):
            shop.promote("a", verdict=verdict)
    assert not shop.ledger.exists()


def test_a_damaged_artifact_is_never_promoted(shop):
    folder, _ = shop.artifact("a")
    (folder / "model.onnx").write_bytes(b"other")
    with pytest.raises(ArtifactError, match="not what the manifest says"):
        shop.promote("a")
    (folder / "model.onnx").unlink()
    (folder / "model.onnx").symlink_to("/etc/hostname")
    with pytest.raises(ArtifactError, match="no links"):
        shop.promote("a")
    assert (shop.current(), shop.ledger.exists()) == (None, False)


@pytest.mark.parametrize("name", ["..", "a/b", "", ".hidden"])
def test_names_cannot_leave_the_registry(shop, name):
    with pytest.raises(BadInputError, match="name in the registry"):
        current(shop.registry, "shop", name)


def test_a_version_that_is_gone_stops_the_rollback_before_it_is_written(shop):
    first = shop.promote("a")
    shop.promote("b")
    shutil.rmtree(first.path)
    with pytest.raises(ArtifactError, match="its folder is gone"):
        shop.rollback()
    assert (shop.current(), len(shop.events())) == ("b", 2)


def test_a_pointer_that_the_ledger_does_not_know_is_named(shop):
    shop.promote("a")
    link = shop.registry / "shop" / "t" / "current"
    link.unlink()
    link.symlink_to("versions/ffffffffffff")
    with pytest.raises(LedgerError, match="never promoted"):
        shop.current()
    with pytest.raises(LedgerError, match="points at ffffffffffff"):
        shop.verify()
    assert settle(shop.registry, "shop", "t")
    assert shop.current() == "a"
    shop.verify()


def test_a_promotion_replaces_what_it_expects_and_nothing_else(shop):
    first = shop.promote("a", expects=None)
    assert first.entry.replaces == ""
    second = shop.promote("b")
    assert second.entry.replaces == first.artifact_digest
    for expects in (None, first.artifact_digest, "0" * 64):
        with pytest.raises(StaleError, match=f"but {second.artifact_digest[:12]} is promoted now") as caught:
            shop.promote("c", expects=expects)
        assert f"expected to replace {(expects or 'nothing')[:12]}" in str(caught.value)
        assert "line 2 of the ledger" in str(caught.value)
    assert shop.events() == [("promote", "a"), ("promote", "b")]
    assert not (first.path.parent / shop.artifact("c")[1][:12]).exists()  # not even its copy
    assert shop.promote("b", expects=first.artifact_digest).changed is False  # it is what was wanted


def test_a_newer_promotion_is_not_rolled_back(shop):
    shop.promote("a")
    judged = shop.promote("b").artifact_digest
    newer = shop.promote("c").artifact_digest
    with pytest.raises(StaleError, match=f"expected to replace {judged[:12]}, but {newer[:12]} is promoted"):
        shop.rollback(expects=judged)
    assert shop.current() == "c"
    done = shop.rollback(expects=newer[:12])  # the beginning that people are shown
    assert (done.variant, done.entry.replaces) == ("b", newer)


def test_no_promotion_is_written_once_a_verdict(shop, make):
    verdict = replace(make.verdict("0" * 64), promoted=None, promoted_digest=None, reason="too slow")
    shop.promote("a")
    first = record_no_promotion(shop.registry, "shop", verdict, make.PROVENANCE)
    assert record_no_promotion(shop.registry, "shop", verdict, make.PROVENANCE) == first
    assert shop.events() == [("promote", "a"), ("no promotion", "")]
    kept = shop.promote("a")
    assert not kept.changed
    assert shop.events() == [("promote", "a"), ("no promotion", ""), ("keep", "a")]
    assert not shop.promote("a").changed
    assert len(shop.events()) == 3
    with pytest.raises(BadInputError, match="promote it"):
        record_no_promotion(shop.registry, "shop", make.verdict("0" * 64), make.PROVENANCE)


def killed_at(step, action):
    """Run the action in a child that is killed before its nth lasting step; says whether it was."""
    child = os.fork()
    if child == 0:
        left = [step]

        def counted(function):
            def call(*arguments, **named):
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*arguments, **named)

            return call

        for name in ("fsync", "replace", "rename", "symlink", "mkdir", "unlink"):
            setattr(os, name, counted(getattr(os, name)))
        try:
            action()
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def kill_at_every_step(tmp_path, make, before, action):
    """Yield a shop for each step at which the action can be killed, in the state it is left in."""
    for step in range(100):
        shop = make.shop(tmp_path / str(step))
        for name in before:
            shop.promote(name)
        for name in "abc":
            shop.artifact(name)
        if not killed_at(step, lambda shop=shop: action(shop)):
            assert step > 4
            return
        yield shop


def test_a_promotion_killed_at_any_step_is_completed_by_the_next(tmp_path, make):
    seen = set()
    for shop in kill_at_every_step(tmp_path, make, "a", lambda shop: shop.promote("b")):
        left = (shop.current(), len(read_ledger(shop.ledger)))
        seen.add(left)
        done = shop.promote("b")
        assert (done.variant, shop.current()) == ("b", "b")
        assert shop.events() == [("promote", "a"), ("promote", "b")]
        shop.verify()
        assert verify_ledger(shop.ledger) == 2
        assert {path.name for path in (shop.registry / "shop" / "t").iterdir()} == {
            ".lock",
            "current",
            "versions",
        }
        assert len(list((shop.registry / "shop" / "t" / "versions").iterdir())) == 2
    assert seen == {("a", 1), ("a", 2), ("b", 2)}


def test_a_first_promotion_killed_at_any_step_is_completed_by_the_next(tmp_path, make):
    for shop in kill_at_every_step(tmp_path, make, "", lambda shop: shop.promote("b")):
        assert shop.current() in (None, "b")
        shop.promote("b")
        assert (shop.current(), shop.events()) == ("b", [("promote", "b")])


def test_a_killed_rollback_goes_back_once(tmp_path, make):
    for shop in kill_at_every_step(tmp_path, make, "abc", lambda shop: shop.rollback()):
        decided, pointed = len(shop.events()) == 4, shop.current()
        assert pointed in ("b", "c")
        taken = shop.artifact("c")[1]
        if decided and pointed == "b":  # killed after the switch: it is done, and that is said
            with pytest.raises(StaleError, match="line 4 of the ledger"):
                shop.rollback(expects=taken)
        else:
            assert shop.rollback(expects=taken).variant == "b"
        assert shop.current() == "b"
        shop.verify()
        assert verify_ledger(shop.ledger) == 4


def test_a_promotion_after_a_killed_one_keeps_both_in_the_history(tmp_path, make):
    for shop in kill_at_every_step(tmp_path, make, "a", lambda shop: shop.promote("b")):
        decided = len(shop.events()) == 2
        shop.promote("c")
        assert shop.current() == "c"
        assert shop.rollback().variant == ("b" if decided else "a")


INTERLEAVINGS = int(os.environ.get("EDGEKD_INTERLEAVINGS", "24"))  # 1,000 were run, see docs/deciding.md


def _play(shop, seed):
    """Look up what is promoted, then replace it or take it back, as runs and people do; note refusals."""
    choose = random.Random(seed)
    for _ in range(6):
        expects = shop.look()
        signal.sigtimedwait([], choose.uniform(0.0, 0.004))  # measuring
        try:
            if choose.random() < 0.3:
                shop.rollback(expects=expects)
            else:
                again = choose.random() < 0.6
                shop.promote(choose.choice("abc"), expects=expects, again=again)
        except BadInputError:
            pass
        except (StaleError, HarmedError) as error:
            with shop.refusals.open("a") as file:
                file.write(f"{type(error).__name__}\n")


@pytest.mark.long
def test_processes_at_once_and_killed_leave_a_whole_artifact_and_ledger(tmp_path, make):
    """Two processes promote and roll back; mostly one is killed at some moment. Nothing is lost."""
    choose = random.Random(5)
    killed = 0
    refusals = []
    for turn in range(INTERLEAVINGS):
        if turn % 12 == 0:
            shop = make.shop(tmp_path / str(turn))
            for name in "abc":
                shop.artifact(name)
            before = b""
        children = []
        for number in range(2):
            child = os.fork()
            if child == 0:
                try:
                    _play(shop, 10 * turn + number)
                except BaseException:
                    os._exit(1)
                os._exit(0)
            children.append(child)
        if choose.random() < 0.8:
            signal.sigtimedwait([], choose.uniform(0.0, 0.08))
            os.kill(children[0], signal.SIGKILL)
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        killed += codes[0] == -signal.SIGKILL
        assert codes[1] == 0
        assert codes[0] in (0, -signal.SIGKILL)
        assert shop.current() in (*"abc", None)
        settle(shop.registry, "shop", "t")
        verify_ledger(shop.ledger)
        now = shop.ledger.read_bytes()
        assert now.startswith(before), "an entry was lost"
        before = now
        last = [variant for event, variant in shop.events() if event != "no promotion"][-1]
        assert shop.current() == last
        check_history(shop)
        if shop.refusals.exists():
            refusals += shop.refusals.read_text().split()
            shop.refusals.unlink()
    assert killed > INTERLEAVINGS // 4
    assert {"StaleError", "HarmedError"} <= set(refusals)


def check_history(shop):
    """Each line replaces what was promoted then; what was taken back came back by a person's word alone."""
    promoted, taken = "", set()
    for entry in read_ledger(shop.ledger):
        assert entry.replaces == promoted
        if entry.event == "rollback":
            taken.add(promoted)
        else:
            assert (entry.artifact_digest in taken) == (entry.again is not None)
            taken.discard(entry.artifact_digest)
        promoted = entry.artifact_digest
    history = read_history(shop.registry, "shop", "t")
    assert (history.current or "") == promoted
    assert set(history.taken_back) == taken


def test_thirty_kills_and_each_call_again_does_it_once(tmp_path, make):
    """A call killed at some moment and made again with the same words is done once: not never, not twice."""
    choose = random.Random(11)
    shop = make.shop(tmp_path)
    for name in "abc":
        shop.promote(name)
    kills = 0
    for _ in range(400):
        if kills >= 30:
            break
        expects, lines = shop.look(), len(shop.events())
        others = [name for name in "abc" if shop.artifact(name)[1] != expects]
        history = read_history(shop.registry, "shop", "t")
        name = None if history.earlier is not None and choose.random() < 0.5 else choose.choice(others)

        def call(name=name, expects=expects):
            if name is None:
                return shop.rollback(expects=expects)
            return shop.promote(name, expects=expects, again=True)

        child = os.fork()
        if child == 0:
            try:
                call()
            except BaseException:
                os._exit(1)
            os._exit(0)
        signal.sigtimedwait([], choose.uniform(0.0, 0.012))
        os.kill(child, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code in (0, -signal.SIGKILL)
        kills += code == -signal.SIGKILL
        try:
            call()
        except StaleError as error:  # it was done, and the message names the line
            said = str(error)
        else:
            said = f"line {lines + 1} of the ledger"
        assert f"line {lines + 1} of the ledger" in said
        assert len(shop.events()) == lines + 1
        assert shop.look() == (history.earlier.artifact_digest if name is None else shop.artifact(name)[1])
        check_history(shop)
        shop.verify()
    assert kills == 30
