from __future__ import annotations

import os
import random
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from edgekd.errors import ArtifactError, BadInputError, LedgerError
from edgekd.gate.ledger import Provenance, read_ledger, verify_ledger
from edgekd.gate.promotion import current, promote, record_no_promotion, rollback, settle
from edgekd.store import digest_file

PROVENANCE = Provenance({"bench.json": "e" * 64}, "d" * 64, 0, "machine")
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def manifest_digest(folder):
    if (folder / "model.onnx").read_bytes() != b"weights" * 100:
        raise ArtifactError(f"{folder}: model.onnx is not what the manifest says")
    return digest_file(folder / "manifest.json")


class Shop:
    """A registry and artifacts to promote in it."""

    def __init__(self, root, make):
        self.registry, self._root, self._make = root / "registry", root, make
        self.ledger = self.registry / "ledger.jsonl"

    def artifact(self, name):
        folder = self._root / "artifacts" / name
        if not folder.exists():
            (folder / "serving").mkdir(parents=True)
            (folder / "manifest.json").write_text(name)
            (folder / "model.onnx").write_bytes(b"weights" * 100)
            (folder / "serving" / "run.py").write_text("pass")
        return folder, digest_file(folder / "manifest.json")

    def promote(self, name, **changes):
        folder, digest = self.artifact(name)
        verdict = changes.pop("verdict", self._make.verdict(digest, variant=name))
        arguments = (self.registry, "shop", "t", folder, digest, verdict, PROVENANCE)
        return promote(*arguments, digest_of=manifest_digest)

    def rollback(self):
        return rollback(self.registry, "shop", "t")

    def current(self):
        """Name of what is promoted, after checking that it is whole."""
        found = current(self.registry, "shop", "t")
        if found is None:
            return None
        digest, path = found
        assert manifest_digest(path) == digest
        assert (path / "serving" / "run.py").read_text() == "pass"
        assert (self.registry / "shop" / "t" / "current").resolve() == path.resolve()
        return (path / "manifest.json").read_text()

    def events(self):
        return [(entry.event, entry.variant) for entry in read_ledger(self.ledger)]


@pytest.fixture
def shop(tmp_path, make):
    return Shop(tmp_path, make)


def test_promoted_artifact_is_a_whole_copy_behind_a_relative_link(shop):
    done = shop.promote("a")
    assert (done.changed, done.variant, shop.current()) == (True, "a", "a")
    assert done.entry.evidence == PROVENANCE.evidence
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
    assert [shop.rollback().variant, shop.rollback().variant] == ["b", "a"]
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
    promote(shop.registry, "shop", "u", folder, digest, make.verdict(digest, target="u"), PROVENANCE)
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
    assert settle(shop.registry, "shop", "t")
    assert shop.current() == "a"


def test_no_promotion_is_written_once_a_verdict(shop, make):
    verdict = replace(make.verdict("0" * 64), promoted=None, promoted_digest=None, reason="too slow")
    shop.promote("a")
    first = record_no_promotion(shop.registry, "shop", verdict, PROVENANCE)
    assert record_no_promotion(shop.registry, "shop", verdict, PROVENANCE) == first
    assert shop.events() == [("promote", "a"), ("no promotion", "")]
    assert not shop.promote("a").changed
    with pytest.raises(BadInputError, match="promote it"):
        record_no_promotion(shop.registry, "shop", make.verdict("0" * 64), PROVENANCE)


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
        shop = Shop(tmp_path / str(step), make)
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
        done = shop.rollback()
        # Where it was killed after the switch, nothing says that it was not seen to end: a second one.
        expected = "a" if decided and pointed == "b" else "b"
        assert (done.variant, shop.current()) == (expected, expected)
        assert verify_ledger(shop.ledger) == (5 if expected == "a" else 4)


def test_a_promotion_after_a_killed_one_keeps_both_in_the_history(tmp_path, make):
    for shop in kill_at_every_step(tmp_path, make, "a", lambda shop: shop.promote("b")):
        decided = len(shop.events()) == 2
        shop.promote("c")
        assert shop.current() == "c"
        assert shop.rollback().variant == ("b" if decided else "a")


INTERLEAVINGS = int(os.environ.get("EDGEKD_INTERLEAVINGS", "24"))  # 1,000 were run, see docs/deciding.md


def _play(shop, seed):
    choose = random.Random(seed)
    for _ in range(6):
        try:
            if choose.random() < 0.3:
                shop.rollback()
            else:
                shop.promote(choose.choice("abc"))
        except BadInputError:
            pass


def test_processes_at_once_and_killed_leave_a_whole_artifact_and_ledger(tmp_path, make):
    """Two processes promote and roll back; mostly one is killed at some moment. Nothing is lost."""
    choose = random.Random(5)
    killed = 0
    for turn in range(INTERLEAVINGS):
        if turn % 12 == 0:
            shop = Shop(tmp_path / str(turn), make)
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
    assert killed > INTERLEAVINGS // 4
