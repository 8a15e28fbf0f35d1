"""Through the command line: what is taken back stays so, what fails is withdrawn and does not go out."""

import json
import re
import shutil

import pytest

from edgekd.gate.history import read_history
from edgekd.gate.ledger import read_ledger

pytestmark = pytest.mark.long
INT8, FP32 = "static-256.onnxruntime.int8-dynamic", "static-256.onnxruntime.fp32"


def look(project, target="desk"):
    return read_history(project / ".edgekd" / "registry", "small", target)


def events(project, target="desk"):
    entries = read_ledger(project / ".edgekd" / "registry" / "ledger.jsonl")
    return [entry.event for entry in entries if entry.target == target]


def status_of(done, target="desk"):
    return {entry["name"]: entry for entry in json.loads(done.stdout)["targets"]}[target]


@pytest.fixture
def newer(project, run_edgekd):
    """The project with int8 promoted on `desk` in place of fp32: smaller beyond doubt."""
    path = project / "targets" / "desk.yaml"
    both = "recipe: fp32}, {runtime: onnxruntime, recipe: int8-dynamic}]"
    path.write_text(path.read_text().replace("recipe: fp32}]", both))
    done = run_edgekd("run", "project.yaml", "--target", "desk", "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    assert status_of(done)["variant"] == INT8
    return project


def add_rows(project, device):
    """Add test rows of one device."""
    path = project / "rows.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    copies = [row for row in rows if row["split"] == "test" and row["device"] == device][:5]
    more = [{**row, "text": f"{row['text']} please {place}"} for place, row in enumerate(copies)]
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, *more]))


def test_live_harm_is_not_promoted_again_by_the_next_run(newer, run_edgekd):
    """On 2d017b4 the next run promotes it again, and so does every run after a rollback."""
    before, target = look(newer), ("--target", "desk")
    assert before.conditions.slices.keys() == {"overall", "ios"}
    harmed, fp32 = before.current, before.replaced
    lines = [
        {"slice": "ios", "arm": "incumbent", "artifact": fp32[:12], "n": 5000, "hits": 4600},
        {"slice": "ios", "arm": "candidate", "artifact": harmed[:12], "n": 5000, "hits": 2600},
    ]
    counts = newer / "counts.jsonl"
    counts.write_text("".join(json.dumps(line) + "\n" for line in lines))
    live = ("gate", "project.yaml", *target, "--live", "counts.jsonl")
    # What the project says today changes nothing: the conditions are those of the promotion.
    done = run_edgekd(*live, "--set", "slices.1.margin=99", cwd=newer)
    assert done.returncode == 1 and "ios: stop: harm" in done.stdout, done.stderr
    entry = look(newer).head
    assert (entry.event, entry.harm.by, list(entry.harm.slices)) == ("rollback", "live traffic", ["ios"])

    done = run_edgekd("run", "project.yaml", *target, "--json", cwd=newer)
    assert done.returncode == 0, done.stderr
    assert status_of(done)["variant"] == FP32
    assert look(newer).current == fp32 and events(newer)[-1] == "rollback"
    number = str(len(read_ledger(newer / ".edgekd" / "registry" / "ledger.jsonl")))
    refused = run_edgekd("ledger", "replay", "project.yaml", number, cwd=newer)
    assert refused.returncode == 2 and "is a rollback" in refused.stderr

    add_rows(newer, "web")  # elsewhere: the artifact has another digest now, and is the same model
    done = run_edgekd("run", "project.yaml", *target, "--json", cwd=newer)
    assert done.returncode == 0, done.stderr
    assert status_of(done)["variant"] != INT8
    add_rows(newer, "ios")
    done = run_edgekd("run", "project.yaml", *target, "--json", cwd=newer)
    assert done.returncode == 0, done.stderr
    assert status_of(done)["variant"] == INT8
    assert look(newer).head.again.startswith("newer test rows in ios, against line ")
    verified = run_edgekd("ledger", "verify", "project.yaml", cwd=newer)
    assert verified.returncode == 0, verified.stderr
    number = str(look(newer).head.sequence)
    same = run_edgekd("ledger", "replay", "project.yaml", number, "--json", cwd=newer)
    assert same.returncode == 0 and json.loads(same.stdout)["same"] is True


def test_a_person_takes_back_and_brings_back_by_name(newer, run_edgekd):
    before = look(newer)
    wrong = run_edgekd("rollback", "project.yaml", "desk", "--expects", before.replaced[:12], cwd=newer)
    assert wrong.returncode == 1
    assert re.search(rf"expected to replace {before.replaced[:12]}, but {before.current[:12]}", wrong.stderr)
    unfit = run_edgekd("rollback", "project.yaml", "desk", "--expects", "abc", cwd=newer)
    assert unfit.returncode == 2 and "first 8 digits" in unfit.stderr
    unknown = run_edgekd("rollback", "project.yaml", "desk", "--slice", "iso", cwd=newer)
    assert unknown.returncode == 2 and "'iso'" in unknown.stderr
    back = ("rollback", "project.yaml", "desk", "--slice", "ios", "--reason", "complaints")
    done = run_edgekd(*back, "--expects", before.current[:12], cwd=newer)
    assert done.returncode == 0, done.stderr
    assert (look(newer).head.harm.by, look(newer).head.harm.reason) == ("a person", "complaints")

    promote = ("promote", "project.yaml", "--target", "desk", "--json")
    assert status_of(run_edgekd(*promote, cwd=newer))["variant"] == FP32
    wrong = run_edgekd(*promote, "--again", "--expects", before.current[:12], cwd=newer)
    assert wrong.returncode == 1 and f"it is {before.replaced[:12]}" in wrong.stderr
    done = run_edgekd(*promote, "--again", "--expects", before.replaced[:12], cwd=newer)
    assert done.returncode == 0, done.stderr
    assert status_of(done)["variant"] == INT8
    assert look(newer).current == before.current
    assert look(newer).head.again == f"a person's word, against line {look(newer).head.sequence - 1}"


def test_a_failing_incumbent_is_withdrawn(newer, run_edgekd):
    """On 2d017b4 it stays current, and is bundled without a word."""
    digest = look(newer).current
    failing = ("--set", "gates.ece=0.00001", "--set", "gates.mode=point")
    done = run_edgekd("run", "project.yaml", "--target", "desk", *failing, cwd=newer)
    assert done.returncode == 1, done.stderr
    assert f"{digest[:12]} is withdrawn, as it fails ece" in done.stderr
    assert look(newer).head.event == "withdraw" and look(newer).head.replaces == digest
    assert look(newer).current == look(newer).stack[-1].artifact_digest != digest  # fp32 passes every slice
    again = run_edgekd("run", "project.yaml", "--target", "desk", *failing, cwd=newer)
    assert again.returncode == 1 and look(newer).current is None
    assert not (newer / ".edgekd" / "registry" / "small" / "desk" / "current").exists()
    path = newer / "targets" / "desk.yaml"
    before = path.read_text(encoding="utf-8")
    path.write_text(before + "bundle: lambda-zip\n", encoding="utf-8")
    bundled = run_edgekd("bundle", "project.yaml", "--target", "desk", cwd=newer)
    assert bundled.returncode == 2 and "nothing is promoted" in bundled.stderr
    path.write_text(before, encoding="utf-8")
    verified = run_edgekd("ledger", "verify", "project.yaml", cwd=newer)
    assert verified.returncode == 0, verified.stderr
    done = run_edgekd("run", "project.yaml", "--target", "desk", "--json", cwd=newer)
    assert done.returncode == 0, done.stderr
    assert look(newer).current == digest
    assert look(newer).head.again.startswith("a newer verdict passes it")


def test_what_the_newest_verdict_fails_goes_out_on_a_persons_word_alone(project, run_edgekd):
    path = project / "targets" / "cloud.yaml"
    usual = path.read_text() + "bundle: triton\n"
    path.write_text(usual + "limits: {artifact_mib: 0.001}\n")
    done = run_edgekd("run", "project.yaml", "--target", "cloud", cwd=project)
    assert done.returncode == 1, done.stderr
    assert events(project, "cloud") == ["promote", "no promotion"]  # a limit of size is no harm
    bundle = ("bundle", "project.yaml", "--target", "cloud")
    refused = run_edgekd(*bundle, cwd=project)
    assert refused.returncode == 1
    assert "the newest verdict that judged it" in refused.stderr and "fails artifact_mib" in refused.stderr
    told = run_edgekd(*bundle, "--anyway", "--json", cwd=project)
    assert told.returncode == 0, told.stderr
    (made,) = json.loads(told.stdout)
    card = (project / made["path"] / "MODEL_CARD.md").read_text()
    assert "**Fails the gate.** The newest verdict that judged it" in card
    assert "A person let it go out all the same (`edgekd bundle --anyway`, line " in card
    last = read_ledger(project / ".edgekd" / "registry" / "ledger.jsonl")[-1]
    assert (last.event, last.shipped, last.artifact_digest) == ("shipped anyway", "bundle", made["artifact"])
    path.write_text(usual)
    assert run_edgekd("run", "project.yaml", "--target", "cloud", cwd=project).returncode == 0
    assert events(project, "cloud")[-1] == "keep"
    assert run_edgekd(*bundle, cwd=project).returncode == 0


def test_a_registry_that_is_not_whole_is_said(project, run_edgekd):
    """On 2d017b4 each of these verifies."""
    registry = project / ".edgekd" / "registry"
    folder = (registry / "small" / "desk" / "current").resolve()
    verify = ("ledger", "verify", "project.yaml")
    assert "3 promoted folders are whole" in run_edgekd(*verify, cwd=project).stdout
    model = next(folder.glob("*.onnx"))
    data = model.read_bytes()
    model.unlink()  # another target has promoted the same file
    model.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    done = run_edgekd(*verify, cwd=project)
    assert done.returncode == 1 and f"{folder}: was changed after it was promoted" in done.stderr
    shutil.rmtree(folder)
    done = run_edgekd(*verify, cwd=project)
    assert done.returncode == 1 and f"{folder}: the ledger promoted this artifact" in done.stderr
    (registry / "ledger.jsonl").write_text("")
    done = run_edgekd(*verify, cwd=project)
    assert done.returncode == 1 and "ledger.jsonl: is empty, but 3 targets hold promoted" in done.stderr


def test_what_was_made_from_todays_test_texts_is_not_judged_on_them(project, run_edgekd):
    """A new draw of the splits puts rows into the test split that the promoted artifact learned from."""
    path = project / "rows.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    train, test = ([row for row in rows if row["split"] == split][:4] for split in ("train", "test"))
    for first, second in zip(train, test, strict=True):
        first["split"], second["split"] = "test", "train"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    before = look(project).current
    done = run_edgekd("run", "project.yaml", "--target", "desk", "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    assert "was made from 4 of today's" in done.stderr
    names = [
        path.name for run in project.glob(".edgekd/runs/*") for path in (run / "evidence/desk").glob("*")
    ]
    assert names and not any(name.startswith("incumbent.") for name in names)
    assert look(project).replaced == before != look(project).current
    checked = run_edgekd("ledger", "verify", "project.yaml", cwd=project)
    assert checked.returncode == 0, checked.stderr
    kept = project / ".edgekd/registry/objects"
    learned = look(project).head.learned
    (kept / learned[:2] / learned).write_text("[]")
    broken = run_edgekd("ledger", "verify", "project.yaml", cwd=project)
    assert broken.returncode == 1 and "texts it was made from" in broken.stderr
