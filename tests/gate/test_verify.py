"""A registry is whole, or the first thing that is not is named."""

import json
import shutil

import pytest

from edgekd.errors import LedgerError
from edgekd.store import write_atomic


@pytest.fixture
def full(shop):
    """Three versions, of which the second is current."""
    for name in "abc":
        shop.promote(name)
    shop.rollback()
    found = shop.verify()
    assert (found.entries, found.versions) == (4, 3)
    return shop


def version(shop, name):
    return shop.registry / "shop" / "t" / "versions" / shop.artifact(name)[1][:12]


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_a_tampered_folder_is_named_whether_current_or_not(full, name):
    (version(full, name) / "model.onnx").write_bytes(b"other")
    with pytest.raises(LedgerError, match=rf"{version(full, name).name}.*changed after it was promoted"):
        full.verify()


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_a_deleted_folder_is_named(full, name):
    shutil.rmtree(version(full, name))
    with pytest.raises(LedgerError, match=rf"{version(full, name).name}: .*folder is gone"):
        full.verify()


def test_a_folder_that_holds_another_artifact_is_named(full):
    shutil.rmtree(version(full, "a"))
    shutil.copytree(version(full, "c"), version(full, "a"))
    with pytest.raises(LedgerError, match="expected artifact"):
        full.verify()


def test_an_emptied_or_missing_ledger_is_named(full):
    full.ledger.write_text("")
    with pytest.raises(LedgerError, match="is empty, but 1 targets hold promoted folders"):
        full.verify()
    full.ledger.unlink()
    with pytest.raises(LedgerError, match="is missing, but 1 targets hold promoted folders"):
        full.verify()
    with pytest.raises(LedgerError, match="never promoted"):
        full.current()
    with pytest.raises(LedgerError, match="the ledger has no line of shop/t"):
        full.promote("a")


def test_lines_cut_off_the_end_leave_folders_without_lines(full):
    lines = full.ledger.read_text().splitlines(keepends=True)
    full.ledger.write_text("".join(lines[:2]))  # the chain holds, and current is b as before
    with pytest.raises(LedgerError, match=rf"{version(full, 'c').name}: no line of the ledger promotes this"):
        full.verify()
    full.ledger.write_text(lines[0])
    with pytest.raises(LedgerError, match=r"points at .* but the ledger's last word is"):
        full.verify()


def test_a_pointer_elsewhere_is_named(full):
    link = full.registry / "shop" / "t" / "current"
    link.unlink()
    with pytest.raises(LedgerError, match="points at nothing"):
        full.verify()
    link.symlink_to(version(full, "c"))
    with pytest.raises(LedgerError, match=f"points at {version(full, 'c').name}"):
        full.verify()


def test_how_many_more_is_said(full):
    shutil.rmtree(version(full, "a"))
    shutil.rmtree(version(full, "c"))
    with pytest.raises(LedgerError, match=r"\(and 1 more\)$"):
        full.verify()


def test_verdicts_beside_current_are_checked(full, make):
    folder = full.registry / "shop" / "t" / "verdicts"
    for name in "abc":
        verdict = make.verdict(full.artifact(name)[1], variant=name)
        write_atomic(folder / f"{verdict.digest[:12]}.json", json.dumps(verdict.to_json()))
    full.verify()
    path = folder / f"{verdict.digest[:12]}.json"
    path.write_text(path.read_text().replace('"pass"', '"fail"'))
    with pytest.raises(LedgerError, match=f"{path.name}: the verdict was changed"):
        full.verify()
    path.unlink()
    with pytest.raises(LedgerError, match=f"{path.name}: the verdict of a line .* is missing"):
        full.verify()


def test_an_empty_registry_has_no_ledger(shop):
    with pytest.raises(LedgerError, match="cannot be read"):
        shop.verify()
