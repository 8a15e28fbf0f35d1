"""One real run of the small project: what it leaves behind, and what a second one does again."""

import json
import re
import shutil
import subprocess
import sys
import textwrap

import numpy as np
import pyarrow as pa
import yaml

from edgekd.compile import open_artifact
from edgekd.gate.ledger import read_ledger
from edgekd.gate.objects import object_path
from edgekd.gate.promotion import current
from edgekd.store import digest_file, digest_json
from edgekd.units import format_ms

STAGES = {
    "data", "teacher", "texts", "label", "distil/static-256", "export/static-256", "export/teacher",
    "compile/static-256.onnxruntime.int8-dynamic", "compile/static-256.onnxruntime.fp32",
    "compile/teacher.onnxruntime.fp32", "bench/1-threads", "reference/teacher", "reference/static-256",
    "answer/static-256.onnxruntime.int8-dynamic", "answer/static-256.onnxruntime.fp32", "baseline",
    "validate/static-256.onnxruntime.int8-dynamic", "validate/static-256.onnxruntime.fp32",
}  # fmt: skip
INT8, FP32 = "static-256.onnxruntime.int8-dynamic", "static-256.onnxruntime.fp32"


def stages(text: str, how: str) -> list[str]:
    return [line.partition(":")[0] for line in text.splitlines() if re.search(rf": {how}\b", line)]


def verdict_of(folder, target: str) -> dict:
    return json.loads((folder / "verdicts" / f"{target}.json").read_text(encoding="utf-8"))


def test_every_stage_was_done_once(finished_run):
    text = "\n".join(line for _, line in finished_run.notes)
    done = stages(text, "done")
    # two more targets share the very same artifacts, and so their stages
    # the teacher answers the validation rows, and then the test rows
    assert sorted(done) == sorted([*STAGES, "reference/teacher"])
    assert set(stages(text, "cached")) <= STAGES


def test_run_directory_is_as_the_design_says(finished_run):
    folder = finished_run.run_folder
    assert folder.parent == finished_run.folder / ".edgekd" / "runs"
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    expected = {
        "config.resolved.yaml", "report.html", "report.md",
        "logs/teacher/train.jsonl", "logs/static-256/train.jsonl",
        "students/static-256/model.safetensors", "students/static-256/tokenizer.json",
        "students/static-256/student.json",
        f"artifacts/cloud/{INT8}/manifest.json", f"artifacts/cloud/{FP32}/manifest.json",
        f"artifacts/desk/{FP32}/manifest.json", f"artifacts/twin/{FP32}/manifest.json",
        "evidence/bench/1-threads/bench.json", f"evidence/cloud/{INT8}.json",
        f"evidence/cloud/{FP32}.json", f"evidence/desk/{FP32}.json",
        "verdicts/cloud.json", "verdicts/desk.json", "verdicts/twin.json",
    }  # fmt: skip
    assert expected <= found
    assert {p.split("/")[0] for p in found} == {
        "config.resolved.yaml", "report.html", "report.md", "logs", "students", "artifacts", "evidence",
        "verdicts",
    }  # fmt: skip
    assert not [p for p in found if p.endswith(".tmp") or "__pycache__" in p or "stage.json" in p]
    resolved = yaml.safe_load((folder / "config.resolved.yaml").read_text(encoding="utf-8"))
    assert resolved["project"]["measure"]["rounds"] == 3
    assert resolved["project"]["distillation"]["temperature"] == 2.0  # a default, written out
    assert [target["name"] for target in resolved["targets"]] == ["cloud", "desk", "twin", "gpu"]


def test_document_names_what_lies_on_disk(finished_run):
    document = finished_run.document
    assert set(document) == {"run", "teacher", "students", "artifacts", "targets", "exit_code"}
    for target, variants in document["artifacts"].items():
        for name, digest in variants.items():
            artifact = open_artifact(finished_run.run_folder / "artifacts" / target / name)
            assert (artifact.digest, artifact.student) == (digest, "static-256")
    assert set(document["artifacts"]) == {"cloud", "desk", "twin"}
    status = {target["name"]: target["status"] for target in document["targets"]}
    assert status["gpu"] == "not measured" and document["exit_code"] == 0
    assert all(status[name].startswith("promoted") for name in ("cloud", "desk", "twin"))


def test_evidence_names_the_artifact_and_holds_raw_samples(finished_run):
    folder = finished_run.run_folder / "evidence"
    for target, variants in finished_run.document["artifacts"].items():
        for name, digest in variants.items():
            evidence = json.loads((folder / target / f"{name}.json").read_text(encoding="utf-8"))
            assert evidence["artifact_digest"] == digest
        digest = finished_run.document["artifacts"]["cloud"][INT8]
    samples = sorted((folder / "bench" / "1-threads" / "latency").glob(f"{INT8}-{digest[:8]}-[0-9].npy"))
    assert len(samples) == 3  # a fresh process a round
    assert all(len(np.load(file, allow_pickle=False)) > 10 for file in samples)


def test_verdict_is_what_is_promoted_and_the_ledger_holds(finished_run, run_edgekd):
    done = run_edgekd("ledger", "verify", "project.yaml", "--json", cwd=finished_run.folder)
    assert done.returncode == 0, done.stderr
    entries = read_ledger(finished_run.registry / "ledger.jsonl")
    kept = {digest for entry in entries for digest in entry.evidence.values()}
    kept |= {entry.learned for entry in entries}
    assert json.loads(done.stdout) == {"entries": 3, "holds": True, "files": len(kept), "versions": 3}
    assert [(e.event, e.target) for e in entries] == [
        ("promote", target) for target in ("cloud", "desk", "twin")
    ]
    for entry in entries:
        verdict = verdict_of(finished_run.run_folder, entry.target)
        digest, place = current(finished_run.registry, "small", entry.target)
        assert entry.artifact_digest == verdict["promoted_digest"] == digest == open_artifact(place).digest
        for name, expected in entry.evidence.items():
            assert digest_file(object_path(finished_run.registry, expected)) == expected
            # A later run asks anew, about what is promoted by then.
            if not name.startswith("evidence/questions/"):
                assert digest_file(finished_run.run_folder / name) == expected
        kept = (
            finished_run.registry / "small" / entry.target / "verdicts" / f"{entry.verdict_digest[:12]}.json"
        )
        document = json.loads(kept.read_text(encoding="utf-8"))
        assert digest_json(document) == entry.verdict_digest


ANSWER = """
import json, sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        hidden = name.partition(".")[0] in ("torch", "transformers", "edgekd")
        return None if hidden else super().find_spec(name, path, target)

sys.meta_path[:] = [Without if f is PathFinder else f for f in sys.meta_path if "edgekd" not in str(f)]
for name in ("torch", "transformers", "edgekd"):
    try:
        __import__(name)
        sys.exit(f"{name} can be imported")
    except ModuleNotFoundError:
        pass
sys.path.insert(0, sys.argv[1])
from serving import load
model = load(sys.argv[1])
print(json.dumps([list(model(text))[:2] for text in sys.argv[2:]]))
"""


def test_promoted_artifact_answers_by_itself(finished_run, run_edgekd, tmp_path):
    """In a process that can import neither torch nor transformers nor edgekd."""
    texts = ["where is my parcel 12", "give me a refund 9", "recommend a series 4"]
    place = finished_run.registry / "small" / "cloud" / "current"
    command = [sys.executable, "-I", "-W", "error", "-c", textwrap.dedent(ANSWER), str(place), *texts]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert [label for label, _ in answers] == ["order", "return", "advice"]
    said = run_edgekd("predict", place, *texts, "--json")
    assert [[a["label"], a["probability"]] for a in json.loads(said.stdout)] == answers


def test_log_has_the_fields_of_its_events(finished_run):
    lines = (finished_run.run_folder / "logs" / "static-256" / "train.jsonl").read_text("utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    steps = [event for event in events if event["event"] == "kd_train_step"]
    summaries = [event for event in events if event["event"] == "kd_epoch_summary"]
    assert [event["epoch"] for event in summaries] == [1, 2, 3] and steps
    for event in steps:  # feature_mse and attention_mse have no meaning for a static student: absent
        assert set(event) == {
            "version", "time", "event", "task", "epoch", "global_step", "batch_size", "hard_ce", "kd_kl_t2",
            "total_loss", "grad_norm", "lr", "throughput_samples_per_sec",
        }  # fmt: skip
        assert (event["task"], event["version"]) == ("intent", 1)
        assert event["grad_norm"] > 0 and event["kd_kl_t2"] > 0 and event["throughput_samples_per_sec"] > 0
    needed = {"task", "student", "teacher", "epoch", "train_loss", "val_loss", "teacher_preference_match"}
    for event in summaries:
        assert needed <= set(event)
        assert event["student"] == "static-256" and None not in event.values()
    assert "kd_train_step" in (finished_run.run_folder / "logs" / "teacher" / "train.jsonl").read_text(
        "utf-8"
    )


def test_second_run_does_nothing_again(finished_run, run_edgekd, cpu_of_children, monkeypatch):
    left = finished_run.run_folder / ".report.md.7.tmp"  # by a kill
    left.touch()
    began = cpu_of_children()
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    again = run_edgekd("run", "project.yaml", "--json", cwd=finished_run.folder)
    assert again.returncode == 0, again.stderr
    assert stages(again.stderr, "done") == []
    assert set(stages(again.stderr, "cached")) == STAGES
    opened = {line.rpartition("|")[2].strip() for line in again.stderr.splitlines() if "import time:" in line}
    assert "edgekd.pipeline.run" in opened
    assert not opened & {"torch", "transformers", "openvino"}
    assert cpu_of_children() - began < 10
    document = json.loads(again.stdout)  # nothing else is on stdout
    for target in (*document["targets"], *finished_run.document["targets"]):
        target.pop("reason")  # now tells of the incumbent, which is the same variant
    assert document == finished_run.document
    entries = read_ledger(finished_run.registry / "ledger.jsonl")
    assert len(entries) == 3  # nothing was promoted twice
    assert not left.exists()


def test_lines_for_people_name_every_target_last(finished_run, run_edgekd):
    said = run_edgekd("report", "project.yaml", cwd=finished_run.folder)
    assert said.returncode == 0
    names = [line.partition(":")[0] for line in said.stdout.splitlines()]
    assert names == ["cloud", "desk", "twin", "gpu"]
    for line in said.stdout.splitlines()[:3]:
        for word in ("p50", "p95", "memory", "size", "worst drop", "promoted"):
            assert word in line
    assert "gpu:" in said.stdout.splitlines()[3] and "not measured" in said.stdout.splitlines()[3]


def test_a_slice_changes_the_verdict_alone(project, run_edgekd):
    """A slice on which nothing can be proven: no stage is done again, nothing new is promoted."""
    settings = ("--set", "slices.1.tier=prove", "--set", "slices.1.where=device = 'none'")
    done = run_edgekd("run", "project.yaml", "--json", *settings, cwd=project)
    assert stages(done.stderr, "done") == []
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    targets = {target["name"]: target for target in document["targets"]}
    assert targets["cloud"]["status"] == "not promoted"
    assert "inconclusive" in targets["cloud"]["reason"]
    step = targets["cloud"]["next_step"]
    empty = [bound for bound in step["binding"] if bound["n"] == 0]
    assert [bound["status"] for bound in empty] == ["inconclusive"]
    assert empty[0]["name"] == "quality ios" and empty[0]["rows_needed"] > 0
    assert empty[0]["variant"] == step["variant"]
    assert [e.event for e in read_ledger(project / ".edgekd" / "registry" / "ledger.jsonl")] == [
        *["promote"] * 3, *["no promotion"] * 3,
    ]  # fmt: skip
    assert (project / ".edgekd" / "registry" / "small" / "cloud" / "current").exists()
    done = run_edgekd("gate", "project.yaml", "--json", "--set", "slices.1.margin=19", cwd=project)
    assert done.returncode == 0 and stages(done.stderr, "done") == []


def test_epochs_of_the_student_train_the_student_alone(project, run_edgekd):
    setting = "students.0.training.epochs=1"
    done = run_edgekd("distill", "project.yaml", "--set", setting, "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    assert stages(done.stderr, "cached") == ["data", "teacher", "texts", "label", "reference/teacher"]
    assert stages(done.stderr, "done") == ["distil/static-256"]
    other = run_edgekd("distill", "project.yaml", "--json", cwd=project)
    assert stages(other.stderr, "done") == []
    one, two = (json.loads(text)["students"]["static-256"] for text in (done.stdout, other.stdout))
    assert one != two


def test_incumbent_stays_on_a_tie_and_a_better_one_is_rolled_back(project, run_edgekd):
    """Both targets may now choose int8 too: smaller beyond doubt, truer not beyond noise."""
    registry = project / ".edgekd" / "registry"
    before = {name: current(registry, "small", name)[0] for name in ("desk", "twin")}
    for name in ("desk", "twin"):
        path = project / "targets" / f"{name}.yaml"
        text = path.read_text(encoding="utf-8")
        path.write_text(
            text.replace("recipe: fp32}]", "recipe: fp32}, {runtime: onnxruntime, recipe: int8-dynamic}]"),
            encoding="utf-8",
        )
    done = run_edgekd("run", "project.yaml", "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    assert stages(done.stderr, "done") == []  # the artifacts are those of cloud
    targets = {target["name"]: target for target in json.loads(done.stdout)["targets"]}
    assert (targets["twin"]["variant"], targets["twin"]["tie_with"]) == (FP32, INT8)
    assert "the incumbent stays" in targets["twin"]["reason"]
    assert current(registry, "small", "twin")[0] == before["twin"]
    assert targets["desk"]["variant"] == INT8
    assert current(registry, "small", "desk")[0] != before["desk"]

    lines = [
        {"slice": "overall", "arm": arm, "n": 5000, "hits": hits, "artifact": digest[:12]}
        for arm, hits, digest in (
            ("incumbent", 4600, before["desk"]),
            ("candidate", 3600, current(registry, "small", "desk")[0]),
        )
    ]
    (project / "counts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    live = ("gate", "project.yaml", "--target", "desk", "--live", "counts.jsonl")
    back = run_edgekd(*live, "--json", cwd=project)
    assert back.returncode == 1, back.stderr
    document = json.loads(back.stdout)
    assert document["rolled_back"] is True and document["variant"] == FP32
    assert document["slices"]["overall"]["decision"] == "stop: harm"
    twice = run_edgekd(*live, cwd=project)
    assert twice.returncode == 2 and "no rows of the candidate" in twice.stderr
    lines[1]["artifact"], lines[0]["artifact"] = before["desk"], "the teacher"
    (project / "counts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    stuck = run_edgekd(*live, cwd=project)  # harm is said where nothing is left to go back to
    assert stuck.returncode == 1 and "stop: harm" in stuck.stdout and "cannot go back" in stuck.stdout
    digest, place = current(registry, "small", "desk")
    assert digest == before["desk"] == open_artifact(place).digest
    assert run_edgekd("predict", place, "where is my parcel").returncode == 0
    again = run_edgekd("rollback", "project.yaml", "desk", cwd=project)
    assert again.returncode == 2 and "no earlier version" in again.stderr
    verified = run_edgekd("ledger", "verify", "project.yaml", cwd=project)
    assert verified.returncode == 0 and verified.stdout.startswith("5 entries")
    assert [e.event for e in read_ledger(registry / "ledger.jsonl")][3:] == ["promote", "rollback"]


def test_damaged_stage_is_built_again(project, run_edgekd):
    """A file of a finished stage that changed on disk is not believed."""
    (texts,) = (project / ".edgekd" / "store" / "texts").glob("*/learn.json")
    data = bytearray(texts.read_bytes())
    data[-3] ^= 1
    texts.write_bytes(data)
    done = run_edgekd("distill", "project.yaml", cwd=project)
    assert done.returncode == 0, done.stderr
    assert stages(done.stderr, "done") == ["texts"]
    cached = ["data", "teacher", "label", "reference/teacher", "distil/static-256"]
    assert stages(done.stderr, "cached") == cached


def test_damaged_labels_are_refused_by_name_and_made_again_alone(project, run_edgekd):
    shards = sorted((project / ".edgekd" / "labels").glob("*/*.arrow"))
    data = bytearray(shards[0].read_bytes())
    data[len(data) // 2] ^= 1
    shards[0].write_bytes(data)
    done = run_edgekd("distill", "project.yaml", cwd=project)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"edgekd: {shards[0]}: is damaged: its sha256 is ")
    shards[0].unlink()
    done = run_edgekd("distill", "project.yaml", cwd=project)
    assert done.returncode == 0, done.stderr
    assert f"labels: {count_labels(project)} texts by pytorch float32" in done.stderr
    # the same bits as before, so nothing after them is done again
    cached = ["data", "teacher", "texts", "label", "reference/teacher", "distil/static-256"]
    assert stages(done.stderr, "cached") == cached


def count_labels(project) -> int:
    return sum(
        pa.ipc.open_file(pa.memory_map(str(path))).get_batch(0).num_rows
        for path in (project / ".edgekd" / "labels").glob("*/*.arrow")
    )


def test_more_augmentations_label_only_what_is_new(project, run_edgekd):
    before = count_labels(project)
    done = run_edgekd("label", "project.yaml", "--set", "distillation.augmentations=2", cwd=project)
    assert done.returncode == 0, done.stderr
    assert f"labels: {count_labels(project) - before} texts by pytorch float32" in done.stderr
    assert before < count_labels(project) < 2 * before
    again = run_edgekd("label", "project.yaml", "--set", "distillation.augmentations=2", cwd=project)
    assert "labels:" not in again.stderr and stages(again.stderr, "done") == []
    back = run_edgekd("distill", "project.yaml", cwd=project)
    assert "labels:" not in back.stderr and "distil/static-256" in stages(back.stderr, "cached")


def test_shares_and_what_is_missing_after_them_make_the_same_labels(project, finished_run, run_edgekd):
    labels = project / ".edgekd" / "labels"
    shutil.rmtree(labels)
    expected = count_labels(finished_run.folder)
    counts = []
    for share in ("1/3", "3/3"):
        done = run_edgekd("label", "project.yaml", "--shard", share, "--json", cwd=project)
        assert done.returncode == 0, done.stderr
        counts.append(json.loads(done.stdout)["labelled"])
    assert 0 < sum(counts) == count_labels(project) < expected
    done = run_edgekd("run", "project.yaml", cwd=project)
    assert f"labels: {expected - sum(counts)} texts by" in done.stderr
    assert {"distil/static-256", "baseline"} <= set(stages(done.stderr, "cached"))
    refused = run_edgekd("label", "project.yaml", "--shard", "4/3", cwd=project)
    assert refused.returncode == 2 and "--shard must be i/n with 1 <= i <= n" in refused.stderr


def test_runs_are_listed(finished_run, run_edgekd):
    listed = run_edgekd("show", "runs", "project.yaml", "--json", cwd=finished_run.folder)
    folders = [(finished_run.folder / path).resolve() for path in json.loads(listed.stdout)]
    assert finished_run.run_folder.resolve() in folders


def test_a_bundle_tells_what_its_promotion_rests_on(project, run_edgekd):
    """The card's figures are the run's evidence, found through the registry alone."""
    for path, line in (
        ("targets/cloud.yaml", "bundle: triton\n"),
        ("project.yaml", "licence: {data: CC0-1.0}\n"),
    ):
        with (project / path).open("a", encoding="utf-8") as file:
            file.write(line)
    done = run_edgekd("bundle", "project.yaml", "--target", "cloud", "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    assert stages(done.stderr, "done") == []
    (bundle,) = json.loads(done.stdout)
    assert bundle["artifact"] == current(project / ".edgekd" / "registry", "small", "cloud")[0]
    place = project / ".edgekd" / "registry" / "small" / "cloud"
    verdicts = sorted((place / "verdicts").iterdir(), key=lambda path: path.stat().st_mtime)
    assert {path.name for path in verdicts} == {path.name for path in (place / "evidence").iterdir()}
    found = json.loads((place / "evidence" / verdicts[-1].name).read_text(encoding="utf-8"))
    assert found["artifact_digest"] == bundle["artifact"]
    card = (project / bundle["path"] / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert f"| p95 | {format_ms(found['p95_ms']['estimate'])} [" in card
    assert (
        "| data that taught | CC0-1.0 |" in card
        and "| weights that the teacher started from | not stated |" in card
    )
    front = yaml.safe_load(card.split("---\n")[1])
    values = {one["name"]: one["value"] for one in front["model-index"][0]["results"][0]["metrics"]}
    overall = found["evaluation"]["slices"][0]
    assert values["accuracy (overall)"] == round(overall["value"]["estimate"], 6)
    golden = (project / bundle["path"] / "golden.jsonl").read_text(encoding="utf-8").splitlines()
    assert 20 <= len(golden) <= 50
