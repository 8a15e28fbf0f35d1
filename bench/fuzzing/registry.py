"""Inputs of the readers of what runs leave: counts, evidence, the ledger, samples, labels, logs."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa

from edgekd.cli.diagnosing import diagnose_path
from edgekd.config import Slice
from edgekd.data.slices import slice_masks
from edgekd.distill.labels.kept import keep_outputs
from edgekd.distill.labels.shard import ShardRows, text_keys, write_shard
from edgekd.distill.labels.store import LabelStore
from edgekd.evaluate.classify.shadow import compare_shadow
from edgekd.evaluate.record import read_record
from edgekd.evaluate.verdicts import FLAWS, WINS, read_verdicts, verdict_rate
from edgekd.gate.conditions import RollbackConditions, SliceCondition
from edgekd.gate.counted import Counted, read_counted
from edgekd.gate.evidence import VariantEvidence
from edgekd.gate.history import replay_entries
from edgekd.gate.ledger import Decision, Details, Provenance, append_entry, verify_ledger
from edgekd.gate.ledger import read_ledger as read_chain
from edgekd.gate.live import judge_counts, read_lines
from edgekd.gate.rows import read_rows
from edgekd.measure.bench_file import FILE_NAME, load_bench, save_bench
from edgekd.measure.environment import read_environment
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.result import BenchResult
from edgekd.measure.samples import RECORD, read_samples
from edgekd.pipeline.shadowing import read_logged
from edgekd.stats.interval import Interval
from edgekd.stats.sequential import Arm
from edgekd.store import digest_bytes, digest_json
from fuzzing.reader import Input, Reader
from fuzzing.rows import to_lines
from fuzzing.values import damage, mutate

LABELS = ("a", "b", "c")
CONDITIONS = RollbackConditions(
    {"overall": SliceCondition(0.02, 0.8), "ios": SliceCondition(0.05)}, 20.0, 0.2
)


def edit_lines(rng: Random, rows: list[Any], share: float = 0.3) -> bytes:
    """Write rows as JSON lines, some of them changed, sometimes damaged."""
    data = to_lines([mutate(rng, row) if rng.random() < share else row for row in rows])
    return damage(rng, data) if rng.random() < 0.25 else data


BROKEN_COUNTS: tuple[Mapping[str, Any], ...] = (
    {"hits": True}, {"n": 1.5}, {"n": -1}, {"hits": 10**400, "n": 10**400}, {"slice": "nosuch"},
    {"slice": ["overall"]},
    {"arm": "both"}, {"arm": []}, {"artifact": ""}, {"artifact": 7}, {"artifact": "zz"}, {"hits": 600},
    {"n": None},
)  # fmt: skip


def make_counts(rng: Random) -> Input:
    """Draw counts of live traffic."""
    line = {"slice": "overall", "arm": "candidate", "artifact": "1a2b3c4d5e6f", "n": 500, "hits": 471}
    lines = [line, {**line, "arm": "incumbent"}, {**line, "slice": "ios", "time": "10:00"}]
    lines.append({"figure": "p95_ms", "artifact": "1a2b3c4d5e6f", "n": 500, "hits": 12})
    if rng.random() < 0.2:
        change = rng.choice(BROKEN_COUNTS)
        return Input({"live.jsonl": to_lines([*lines, {**line, **change}])}, broken=f"{change!s:.40}")
    return Input({"live.jsonl": edit_lines(rng, lines)})


def read_counts(given: Input, folder: Path) -> None:
    """Judge counts of live traffic."""
    sums: dict[str, dict[str, tuple[int, int]]] = {}
    for line in read_lines(folder / "live.jsonl", CONDITIONS):
        hits, n = sums.setdefault(line.name, {}).get(line.arm, (0, 0))
        sums[line.name][line.arm] = hits + line.hits, n + line.n
    arms = {name: {arm: Arm(*pair) for arm, pair in of.items()} for name, of in sums.items()}
    judge_counts(arms, CONDITIONS)


BROKEN_SHADOWS: tuple[Mapping[str, Any], ...] = (
    {"student": 0}, {"student": ""}, {"teacher": None}, {"incumbent": []}, {"student": "novel"},
    {"label": "novel"},
    {"label": 1}, {"verdict": "best"}, {"verdict": []}, {"text": 7}, {"text": "\ud83d"},
    {"student": ["a"]}, {"label": {}},
)  # fmt: skip


def make_shadow(rng: Random) -> Input:
    """Draw logged rows."""
    rows = [
        {
            "student": "a",
            "incumbent": "b",
            "teacher": LABELS[n % 3],
            "label": "a",
            "verdict": "win",
            "device": "ios",
            "text": "x",
        }
        for n in range(6)
    ]
    if rng.random() < 0.2:
        change = rng.choice(BROKEN_SHADOWS)
        return Input({"rows.jsonl": to_lines([*rows, {**rows[0], **change}])}, broken=f"{change!s:.40}")
    return Input({"rows.jsonl": edit_lines(rng, rows)})


def read_shadow(given: Input, folder: Path) -> None:
    """Compare logged rows."""
    rows, logged = read_logged(folder / "rows.jsonl", LABELS)
    slices = [Slice(name="overall", margin=1), Slice(name="long", where="length(text) > 3", margin=1)]
    compare_shadow(logged, LABELS, slices, slice_masks(rows, slices), {})


def make_verdicts(rng: Random) -> Input:
    """Draw people's verdicts, as CSV or JSON lines."""
    values = ("win", "tie", "loss")
    rows: list[Any] = [
        {"row": f"r{n}", "rater": "r" + str(n % 2), "verdict": values[n % 3]} for n in range(6)
    ]
    if rng.random() < 0.2:
        key, value = rng.choice(
            (
                ("verdict", "best"),
                ("verdict", None),
                ("row", ""),
                ("rater", True),
                ("row", [1]),
                ("rater", {}),
            )
        )
        return Input(
            {"v.jsonl": to_lines([*rows, {**rows[0], "row": "new", key: value}])},
            {"file": "v.jsonl"},
            f"{key}",
        )
    if rng.random() < 0.5:
        return Input({"v.jsonl": edit_lines(rng, rows)}, {"file": "v.jsonl"})
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    lines[rng.randrange(len(lines))] += rng.choice(("", ",", ',"', "\0", ",x,y", '"', "\r", "\n\n"))
    data = "\n".join(lines).encode()
    return Input({"v.csv": damage(rng, data) if rng.random() < 0.5 else data}, {"file": "v.csv"})


def read_people(given: Input, folder: Path) -> None:
    """Take a rate of people's verdicts."""
    verdict_rate(read_verdicts(folder / given.values["file"], WINS if given.values["file"] else FLAWS))


@cache
def evidence() -> str:
    """Return the evidence of a variant, as JSON."""
    figure = Interval(1.0, 0.9, 1.1, 0.95)
    found = VariantEvidence(
        "s.onnxruntime.fp32", "s", "onnxruntime", "fp32", "ab" * 32, 1000, figure, figure, None, 10**8,
        "native", "", None,
        True, figures={"ece": figure},
    )  # fmt: skip
    return json.dumps(found.to_json())


def make_evidence(rng: Random) -> Input:
    """Draw the evidence of a variant."""
    if rng.random() < 0.1:
        key = rng.choice(("variant", "artifact_bytes", "built", "basis", "p95_ms"))
        document = {
            **json.loads(evidence()),
            key: rng.choice(([], "nosuch" if key != "variant" else 7, {"a": 1})),
        }
        return Input({"e.json": json.dumps(document).encode()}, broken=f"{key} of another type")
    data = json.dumps(mutate(rng, json.loads(evidence()))).encode()
    return Input({"e.json": damage(rng, data) if rng.random() < 0.3 else data})


@cache
def chain() -> bytes:
    """Return a ledger of three lines."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.jsonl"
        for number, event in enumerate(("promote", "promote", "rollback")):
            digest = ("aa", "bb", "aa")[number] * 32
            decision = Decision(event, "p", "t", "v", digest, "cc" * 32)  # type: ignore[arg-type]
            append_entry(
                path,
                decision,
                Provenance({"x": "dd" * 32}, "ee" * 32, 0, "here"),
                Details(conditions=CONDITIONS),
            )
        return path.read_bytes()


def make_ledger(rng: Random) -> Input:
    """Draw a ledger: changed, or changed and chained anew."""
    documents = [json.loads(line) for line in chain().splitlines()]
    if rng.random() < 0.4:
        return Input({"ledger.jsonl": damage(rng, chain())})
    changed: list[Any] = [mutate(rng, document) if rng.random() < 0.5 else document for document in documents]
    previous = "0" * 64
    for document in changed:
        if isinstance(document, dict) and rng.random() < 0.95:
            document["previous"] = previous
            rest = {key: value for key, value in document.items() if key != "digest"}
            try:
                document["digest"] = previous = digest_json(rest)
            except (ValueError, TypeError):
                continue
    lines = [json.dumps(document, sort_keys=True, separators=(",", ":")) for document in changed]
    return Input({"ledger.jsonl": ("\n".join(lines) + rng.choice(("\n", "", "\n{"))).encode()})


def read_ledger(given: Input, folder: Path) -> None:
    """Check a ledger and replay it, as every verb does that decides."""
    entries = read_chain(folder / "ledger.jsonl")
    replay_entries(entry for entry in entries if (entry.project, entry.target) == ("p", "t"))
    verify_ledger(folder / "ledger.jsonl")


def make_known(rng: Random) -> Input:
    """Draw what is known of a target: its rows and what was counted."""
    rows: Any = {"overall": ["0123456789ab", "1123456789ab"], "ios": []}
    counted: Any = Counted(("k-1",), {"1": {"overall": {"candidate": (1, 2)}}}).to_json()
    files = [json.dumps(mutate(rng, part)).encode() for part in (rows, counted)]
    files = [damage(rng, data) if rng.random() < 0.2 else data for data in files]
    return Input({"rows.json": files[0], "live.json": files[1]})


def read_known(given: Input, folder: Path) -> None:
    """Read what is known of a target."""
    read_rows(folder)
    read_counted(folder).arms(1)


@cache
def bench_document() -> dict[str, Any]:
    """Return a stored measurement."""
    import tempfile

    from edgekd.measure.process_bench import Conditions

    with tempfile.TemporaryDirectory() as folder:
        result = BenchResult(
            read_environment(1), MeasurePlan(), 20.0, 40.0, "ab" * 32, 16, (), (), ("a flag",), Path(folder)
        )
        assert Conditions is not None
        save_bench(result)
        document: dict[str, Any] = json.loads((Path(folder) / FILE_NAME).read_text())
    return document


def make_bench(rng: Random) -> Input:
    """Draw a stored measurement."""
    if rng.random() < 0.15:
        key, value = rng.choice(
            (
                ("format", 3),
                ("format", True),
                ("inputs", True),
                ("overhead_ns", "1"),
                ("plan", None),
                ("flags", [1]),
            )
        )
        return Input(
            {FILE_NAME: json.dumps({**bench_document(), key: value}).encode()}, broken=f"{key} {value}"
        )
    data = json.dumps(mutate(rng, bench_document())).encode()
    return Input({FILE_NAME: damage(rng, data) if rng.random() < 0.25 else data})


def make_samples(rng: Random) -> Input:
    """Draw raw samples."""
    sink = io.BytesIO()
    kind = rng.choice((RECORD, RECORD, np.dtype("<f8"), np.dtype("<U4"), np.dtype("O")))
    array = np.zeros(rng.choice((0, 1, 8)), RECORD) if kind == RECORD else np.zeros((2, 2), kind)
    np.lib.format.write_array(sink, array, allow_pickle=True)
    data = sink.getvalue()
    return Input({"s.npy": damage(rng, data) if rng.random() < 0.7 else data})


@cache
def shard() -> bytes:
    """Return a shard of soft labels."""
    import tempfile

    texts = ["where is my box", "wo ist mein Paket", "漫画"]
    rows = ShardRows(
        text_keys("t", texts),
        keep_outputs(np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)),
        [("doc",), (), ()],
        [(), ("tag",), ()],
    )
    with tempfile.TemporaryDirectory() as folder:
        return write_shard(Path(folder), "t", rows, {"name": "by hand"}).read_bytes()


def make_labels(rng: Random) -> Input:
    """Draw a shard of soft labels under its right name."""
    batch = pa.ipc.open_file(io.BytesIO(shard())).get_batch(0)
    data = shard()
    act = rng.random()
    if act < 0.4:
        data = damage(rng, data)
    elif act < 0.7:
        notes = mutate(rng, json.loads(batch.schema.metadata[b"edgekd"]))
        data = pack_batch(batch.replace_schema_metadata({"edgekd": json.dumps(notes)}))
    else:
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        name = rng.choice((*columns, "more"))
        kinds: tuple[tuple[Any, pa.DataType], ...] = (
            (1, pa.int64()), ("a", pa.string()), (b"x" * 16, pa.binary(16)), (None, pa.binary(16)),
            ([1.0] * 5, pa.list_(pa.float32(), 5)),
            ([1.0] * 4, pa.list_(pa.float16(), 4)), (None, pa.list_(pa.float16(), 5)),
            (["a"], pa.list_(pa.string())), ([1.0], pa.list_(pa.float16())),
        )  # fmt: skip
        value, kind = rng.choice(kinds)
        columns[name] = pa.array([value] * len(batch), kind)
        if rng.random() < 0.3:
            del columns[rng.choice(list(columns))]
        schema = batch.schema.metadata
        data = pack_batch(pa.record_batch(columns).replace_schema_metadata(schema)) if columns else data
    return Input({f"{digest_bytes(data)}.arrow": data})


def pack_batch(batch: pa.RecordBatch) -> bytes:
    """Write a batch as an Arrow file."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, batch.schema) as file:
        file.write_batch(batch)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def read_labels(given: Input, folder: Path) -> None:
    """Open a store of soft labels and read all that is there."""
    store = LabelStore(folder, "t", 5)
    store.labellers()
    texts = [text for text in ("where is my box", "漫画") if store.has(store.keys([text]))[0]]
    if texts:
        store.read(texts, 2.0)
        store.beside(texts)


EPOCHS = [
    {"event": "epoch_summary", "version": 1, "time": 1.0 + epoch, "student": "s", "epoch": epoch,
    "train_loss": 1.0 / epoch, "val_rows": 10,
     "val_accuracy": 0.5, "chosen_by": "val_accuracy", "is_higher_better": True}
    for epoch in (1, 2, 3)
]  # fmt: skip


def make_log(rng: Random) -> Input:
    """Draw the log of a training."""
    return Input({"log.jsonl": edit_lines(rng, EPOCHS, 0.4)})


def read_log(given: Input, folder: Path) -> None:
    """Diagnose a log."""
    json.dumps(diagnose_path(folder / "log.jsonl").document, allow_nan=False)


READERS = (
    Reader("live counts", make_counts, read_counts),
    Reader("shadow rows", make_shadow, read_shadow),
    Reader("verdicts of people", make_verdicts, read_people),
    Reader("evidence", make_evidence, lambda given, folder: read_record(VariantEvidence, folder / "e.json")),
    Reader("ledger", make_ledger, read_ledger, (1, 2)),
    Reader("judged rows and counts", make_known, read_known, (1, 2)),
    Reader("bench.json", make_bench, lambda given, folder: load_bench(folder)),
    Reader("samples", make_samples, lambda given, folder: read_samples(folder / "s.npy")),
    Reader("soft labels", make_labels, read_labels),
    Reader("training log", make_log, read_log),
)
