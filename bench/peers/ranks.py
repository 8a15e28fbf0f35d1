"""Ordering candidates: peers beside our artifacts of one trained student, measured in one interleaved run.

    edgekd run bench/studies/msrd.yaml
    python bench/peers/ranks.py               # ten minutes the first time, then six, with nothing beside it
    python bench/peers/ranks.py --table       # writes docs/results/rank-peers.md again from the last run

The student is the study's 2-layer cross-encoder, pairs cut to its 64 tokens; timed are the study's validation
queries, filled up to 50 candidates with films of other queries. NDCG@10 is of the study's test queries.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from environments import make_environments
from lineup import ENVIRONMENTS, HERE, ROOT

from edgekd.config.reading import load_project
from edgekd.data.load import load_data
from edgekd.data.rank_reader import RANKS
from edgekd.evaluate.rank.values import ndcg_at_10, tells_orders_apart
from edgekd.measure.bench_file import load_bench
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.process import child_environment
from edgekd.measure.result import BenchResult
from edgekd.measure.session import measure_subjects
from edgekd.measure.subject import Subject
from edgekd.serving import load
from edgekd.serving.request import join_request, split_request
from edgekd.stats.interval import Interval

STUDY = ROOT / "bench" / "studies" / "msrd.yaml"
WORK = HERE / ".edgekd" / "ranks"
STUDENT, REQUESTS, BENCH = WORK / "student", WORK / "requests.json", WORK / "bench"
TABLE = ROOT / "docs" / "results" / "rank-peers.md"
PLAN = MeasurePlan(rounds=8, seconds=6, block_ms=500, warmup_seconds=1)
CANDIDATES, TIMED, BUDGETS = 50, 24, (25, 50, 100)
FLASHRANK = "ms-marco-TinyBERT-L-2-v2"
"""FlashRank opens models by its own names alone; ours lies where it looks for this one."""


@dataclass(frozen=True)
class Entry:
    """One row of the table; `rival` is our artifact that it is compared with, on the same engine."""

    name: str
    rival: str
    factory: str
    folder: Path
    environment: str = ""

    @property
    def python(self) -> str:
        """Interpreter of its processes."""
        return str(ENVIRONMENTS / self.environment / "bin" / "python") if self.environment else sys.executable


ORT, OPENVINO = "edgekd onnxruntime int8", "edgekd openvino int8"


def list_entries(run: Path) -> list[Entry]:
    """List what is measured: our artifacts of a run of the study, then the peers."""
    ours, theirs = "edgekd.serving.subject:open_subject", "rank_subjects:open_"
    artifacts = run / "artifacts"
    return [
        Entry(ORT, ORT, ours, artifacts / "lambda-x86" / "pairs-2l.onnxruntime.int8-dynamic"),
        Entry(OPENVINO, OPENVINO, ours, artifacts / "intel-openvino" / "pairs-2l.openvino.int8-nncf"),
        Entry("sentence-transformers ONNX", ORT, f"{theirs}sentence_onnx", WORK / "sentence-onnx", "optimum"),
        Entry(
            "sentence-transformers OpenVINO",
            OPENVINO,
            f"{theirs}sentence_openvino",
            WORK / "sentence-openvino",
            "openvino",
        ),
        Entry("FlashRank", ORT, f"{theirs}flashrank", WORK / FLASHRANK, "flashrank"),
    ]


def main() -> None:
    """Do what is not done yet, measure unless told that the last run is enough, and write the table."""
    runs = sorted(STUDY.parent.glob(".edgekd/runs/msrd-*/students/pairs-2l/model.safetensors"))
    if not runs:
        sys.exit(f"no student pairs-2l: run edgekd run {STUDY.relative_to(ROOT)} first")
    run = max(runs, key=lambda path: path.stat().st_mtime).parents[2]
    entries = list_entries(run)
    truth = prepare(run, entries)
    if "--table" not in sys.argv[1:]:
        os.environ.update(PYTHONPATH=os.pathsep.join([str(HERE), str(ROOT)]), HF_HUB_OFFLINE="1")
        subjects = [
            Subject(entry.name, entry.factory, (str(entry.folder), "1"), python=entry.python)
            for entry in entries
        ]
        timed = json.loads(REQUESTS.read_text(encoding="utf-8"))["timed"]
        measure_subjects(subjects, timed, BENCH, PLAN, lambda share, words: print(words, flush=True))
    text = "\n".join(write_table(entries, load_bench(BENCH), truth)) + "\n"
    TABLE.write_text(text, encoding="utf-8")
    print(text)


def prepare(run: Path, entries: list[Entry]) -> npt.NDArray[np.float64]:
    """Write requests, the student's folder, exports and answers; return the grades of the test rows."""
    project = load_project(STUDY)
    data = load_data(project.data, STUDY.parent, project.seed, RANKS)
    test, validation, calibration = (data.split(name) for name in ("test", "validation", "calibration"))
    WORK.mkdir(parents=True, exist_ok=True)
    kept = tells_orders_apart(test.targets)
    judged = [request for request, keep in zip(test.requests, kept, strict=True) if keep]
    _write(REQUESTS, {"timed": fill_up(validation.requests), "test": judged})
    _write(WORK / "test.json", judged)
    pairs = [(query, one) for query, some in map(split_request, calibration.requests) for one in some[:3]]
    _write(WORK / "calibration.json", [" ".join(pair) for pair in pairs])
    make_environments(entry.environment for entry in entries)
    if not STUDENT.is_dir():
        write_student(run / "students" / "pairs-2l")
    for entry in entries:
        if entry.environment and not (entry.folder / "config.json").is_file():
            export(entry)
        if not _answers(entry).is_file():
            answer(entry, judged)
    return np.asarray(test.targets[kept], np.float64)


def fill_up(requests: list[str]) -> list[str]:
    """Return some requests with 50 candidates each: their own, then the first ones of other requests."""
    rng, split = np.random.default_rng(0), [split_request(one) for one in requests]
    others = sorted({candidate for _, candidates in split for candidate in candidates})
    filled = []
    for at in rng.choice(len(split), TIMED, replace=False):
        query, own = split[at][0], split[at][1][:CANDIDATES]
        more = [others[i] for i in rng.choice(len(others), CANDIDATES, replace=False) if others[i] not in own]
        filled.append(join_request(query, [*own, *more][:CANDIDATES]))
    return filled


def write_student(source: Path) -> None:
    """Write the student as a folder that every peer opens."""
    making = STUDENT.with_suffix(".part")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir()
    notes = json.loads((source / "student.json").read_text(encoding="utf-8"))
    for name in ("model.safetensors", "tokenizer.json"):
        shutil.copyfile(source / name, making / name)
    ids = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    _write(making / "config.json", {**config, "pad_token_id": ids["[PAD]"]})
    tokens = {f"{name}_token": f"[{name.upper()}]" for name in ("unk", "sep", "pad", "cls", "mask")}
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": notes["max_tokens"],
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
    }
    _write(making / "tokenizer_config.json", {**settings, **tokens})
    _write(making / "special_tokens_map.json", tokens)
    making.rename(STUDENT)


def export(entry: Entry) -> None:
    """Export in the peer's environment; FlashRank gets the ONNX file of sentence-transformers."""
    print(f"export {entry.name}", flush=True)
    making = entry.folder.with_suffix(".part")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir()
    if entry.environment == "flashrank":
        for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
            shutil.copyfile(STUDENT / name, making / name)
        file = next((WORK / "sentence-onnx" / "onnx").glob("*.onnx"))
        shutil.copyfile(file, making / "flashrank-TinyBERT-L-2-v2.onnx")
    else:
        _run(entry, "export.py", entry.folder.name, STUDENT, making, WORK / "calibration.json")
    making.rename(entry.folder)


def answer(entry: Entry, requests: list[str]) -> None:
    """Write an entry's scores for every candidate of the test rows."""
    print(f"answers of {entry.name}", flush=True)
    if entry.environment:
        _run(entry, "answer.py", entry.factory, entry.folder, "1", WORK / "test.json", _answers(entry))
        return
    model = load(entry.folder, threads=1)
    _write(_answers(entry), [model.outputs([one])[0].tolist() for one in requests])


def write_table(entries: list[Entry], result: BenchResult, truth: npt.NDArray[np.float64]) -> Iterator[str]:
    """Write latency beside our artifact on the same engine, and NDCG@10 within a latency budget."""
    yield f"# Ordering {CANDIDATES} candidates: peers in the same run\n"
    yield (
        f"{len(result.conditions)} rounds: fresh processes take turns on one core, one thread each. Ratios\n"
        "compare a row with our artifact on the same engine, round by round; above 1 is slower than ours.\n"
        "Intervals are at 95 %, over processes. NDCG@10 within a time: as many candidates are reordered as\n"
        "p95 allows, the others follow in the order that came in. FlashRank runs the file of\n"
        "sentence-transformers. Size is what serving needs on disk, without libraries.\n"
    )
    columns = ("system", "p50 ms", "p95 ms", "p50 over ours", "p95 over ours", "size MB", "NDCG@10")
    heads = [*columns, *(f"in {budget} ms" for budget in BUDGETS)]
    yield f"| {' | '.join(heads)} |\n{'| --- ' * len(heads)}|"
    for entry in entries:
        p50, p95 = (result.percentile(entry.name, q) for q in (0.5, 0.95))
        assert p95 is not None
        ratios = ["1", "1"]
        if entry.name != entry.rival:
            ratios = [_times(result.ratio(entry.name, entry.rival, q)) for q in (0.5, 0.95)]
        scores = _scores(entry, truth)
        kept = [int(budget / (p95.estimate / 1e6 / CANDIDATES)) for budget in BUDGETS]
        quality = [_ndcg(scores, truth, count) for count in (truth.shape[1], *kept)]
        cells = [entry.name, _ms(p50), _ms(p95), *ratios, f"{_bytes(entry.folder) / 1e6:.1f}", *quality]
        yield f"| {' | '.join(cells)} |"
    machine = result.environment
    yield f"\n{len(truth):,} test queries. {machine.cpu}, {machine.cores} cores, {machine.python}.\n"
    for flag in result.flags or ("none",):
        yield f"- Flag: {flag}"
    yield "\n```sh\npython bench/peers/ranks.py\n```"


def _scores(entry: Entry, truth: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    rows = json.loads(_answers(entry).read_text(encoding="utf-8"))
    table = np.full(truth.shape, np.nan)
    for place, row in enumerate(rows):
        table[place, : len(row)] = np.ravel(row)
    return table


def _ndcg(scores: npt.NDArray[np.float64], truth: npt.NDArray[np.float64], count: int) -> str:
    places = np.arange(scores.shape[1])
    below = np.nanmin(scores, axis=1, keepdims=True) - 1 - places
    shortened = np.where((places >= count) & ~np.isnan(scores), below, scores)
    return f"{100 * float(ndcg_at_10(shortened, truth).mean()):.1f}"


def _answers(entry: Entry) -> Path:
    return WORK / f"answers-{entry.name.replace(' ', '-')}.json"


def _run(entry: Entry, script: str, *arguments: object) -> None:
    environment = {**child_environment(1), "HF_HUB_OFFLINE": "1"}
    subprocess.run([entry.python, HERE / script, *map(str, arguments)], check=True, env=environment, cwd=WORK)


def _write(path: Path, document: object) -> None:
    path.write_text(json.dumps(document), encoding="utf-8")


def _bytes(folder: Path) -> int:
    files = (file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return sum(file.stat().st_size for file in files)


def _ms(interval: Interval | None) -> str:
    assert interval is not None
    return f"{interval.estimate / 1e6:.1f} ({interval.low / 1e6:.1f} to {interval.high / 1e6:.1f})"


def _times(interval: Interval | None) -> str:
    assert interval is not None
    return f"{interval.estimate:.2f} ({interval.low:.2f} to {interval.high:.2f})"


if __name__ == "__main__":
    main()
