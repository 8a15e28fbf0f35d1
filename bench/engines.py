"""Hold our figures against the engines' own benchmark programs: same model, input, core and thread, in turns.

    edgekd run bench/studies/clinc150.yaml      # makes the artifacts
    python bench/engines.py [ARTIFACT ...]      # ten minutes; writes docs/results/engines.md

Each round starts every program afresh; they take turns in blocks, theirs stopped while ours run. OpenVINO's
`benchmark_app` reports the median of the request's own count of a call, which leaves out the Python call
around it; so that very count is read in our processes, too. ONNX Runtime has no such program in its Python
package: a loop around `run`, in a process of its own, stands for it.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from engines_subjects import SETTINGS
from engines_theirs import Theirs
from studied import HERE, find_artifact

from edgekd.compile import Artifact, open_artifact
from edgekd.measure.environment import quiet_cores, read_environment
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.process import Child, Given, Made
from edgekd.measure.round import block_orders, start_order
from edgekd.measure.samples import read_samples
from edgekd.measure.subject import Subject
from edgekd.measure.worker import LEAD_IN
from edgekd.serving.tokenize import open_tokenizer
from edgekd.stats.percentiles import log_t_interval

TABLE = HERE.parent / "docs" / "results" / "engines.md"
# 16 tokens: a usual text of CLINC150.
TEXT = "please tell me how much money i have left in my savings account today"
PLAN = MeasurePlan(rounds=40, seconds=2.0, block_ms=30.0)
# Of theirs a round; ours take turns with them until they are done.
CALLS = 400
BAR = 0.03
DEFAULT = (
    ("intel-openvino", "cut-2l.openvino.int8-nncf"),
    ("intel-openvino", "cut-2l.openvino.fp32"),
    ("lambda-x86", "cut-2l.onnxruntime.int8-dynamic"),
    ("lambda-x86", "cut-2l.onnxruntime.fp32"),
)
_HEAD = """\
# Against the engines' own benchmark programs

Median of a runtime call on {tokens} real token ids, one thread, one core, {rounds} rounds of fresh
processes that take turns in blocks of {block:.0f} ms; the ratio is ours over theirs, its interval at 95 %
over rounds. The bar is {bar:.0%}.
OpenVINO's `benchmark_app` reports a count inside of the request. "Its count in our process" is the like of
it; "our clock around `infer`" adds the Python call. "As served" is the call of our loader, ids in and
logits out.

| artifact | what of ours | theirs | theirs µs | ours µs | ours over theirs | within the bar |
| --- | --- | --- | --- | --- | --- | --- |
"""


class Figure(NamedTuple):
    """One row: medians in ns, one a round."""

    artifact: str
    what: str
    program: str
    theirs: list[float]
    ours: list[float]
    is_like: bool


def main() -> None:
    """Measure and write the table."""
    os.environ["PYTHONPATH"] = str(HERE)
    folders = [Path(name).resolve() for name in sys.argv[1:]] or [
        find_artifact(name, target=target) for target, name in DEFAULT
    ]
    figures: list[Figure] = []
    core = quiet_cores(1)[0]
    with tempfile.TemporaryDirectory() as kept:
        for folder in folders:
            print(folder.name, flush=True)
            figures += measure(open_artifact(folder), core, Path(kept))
    environment = read_environment(1)
    head = _HEAD.format(tokens=len(_ids(folders[0])), rounds=PLAN.rounds, block=PLAN.block_ms, bar=BAR)
    libraries = ", ".join(" ".join(pair) for pair in environment.libraries)
    foot = f"\n{environment.cpu}; {libraries}; huge pages {environment.huge_pages}.\n"
    command = "\n```\nedgekd run bench/studies/clinc150.yaml\npython bench/engines.py\n```\n"
    TABLE.write_text(head + "\n".join(map(_row, figures)) + "\n" + foot + command, encoding="utf-8")
    print(TABLE.read_text(encoding="utf-8"))


def measure(artifact: Artifact, core: int, kept: Path) -> Iterator[Figure]:
    """Measure one artifact, round by round."""
    rounds = [measure_round(artifact, core, kept, number) for number in range(PLAN.rounds)]
    theirs, counted, call, served = (list(column) for column in zip(*rounds, strict=True))
    name = f"{artifact.student}.{artifact.runtime}.{artifact.recipe}"
    if artifact.runtime == "openvino":
        yield Figure(name, "its count in our process", "`benchmark_app`", theirs, counted, True)
        yield Figure(name, "our clock around `infer`", "`benchmark_app`", theirs, call, True)
        yield Figure(name, "as served", "`benchmark_app`", theirs, served, False)
    else:
        yield Figure(name, "our clock around `run`", "a loop around `run`", theirs, call, True)
        yield Figure(name, "as served", "a loop around `run`", theirs, served, False)


def measure_round(artifact: Artifact, core: int, kept: Path, number: int) -> tuple[float, ...]:
    """Let fresh processes take turns until theirs is done; return medians in ns, as in `measure`."""
    ids, counts = json.dumps(_ids(artifact.path)), kept / "counts.npy"
    is_openvino = artifact.runtime == "openvino"
    factory = "engines_subjects:open_infer" if is_openvino else "engines_subjects:open_run"
    last = (str(counts),) if is_openvino else ()
    call = Subject("call", factory, (str(artifact.path), ids, *last))
    served = Subject("served", "engines_subjects:open_served", (str(artifact.path), ids))
    given = Given(kept / "first.txt", kept / "inputs.json")
    given.first.write_text(TEXT, encoding="utf-8")
    given.inputs.write_text(json.dumps({"texts": [TEXT], "order": [0]}), encoding="utf-8")
    children = [Child(subject, kept / f"{subject.name}.log") for subject in (call, served)]
    made = [
        Made(kept / f"{name}.npy", kept / f"{name}-warmup.npy", kept / f"{name}.json")
        for name in ("call", "served")
    ]
    program, ready = _app(artifact, ids, kept) if is_openvino else _loop(artifact, ids)
    theirs: Theirs | None = None
    try:
        # Pages that are asked for first may lie better: who starts first changes from round to round.
        for place in start_order(1 + len(children), number):
            if place == 0:
                theirs = Theirs(program, core, kept / "theirs.txt")
                theirs.stop_at(ready, PLAN.timeout_seconds)
            else:
                children[place - 1].start(PLAN, (core,), given, made[place - 1])
        assert theirs is not None
        _take_turns(theirs, children, number)
        for child in children:
            child.finish(PLAN.timeout_seconds)
    finally:
        for process in (*children, *((theirs,) if theirs else ())):
            process.kill()
    found = re.search(r"Median: +([\d.]+) (us|ms)", theirs.said())
    if not found:
        sys.exit(f"{program[0]} stated no median: {theirs.said()[-2000:]}")
    ours = [float(np.median(read_samples(files.samples).ns)) for files in made]
    counted = float(np.median(_timed(counts, made[0]))) if is_openvino else ours[0]
    return float(found[1]) * (1e3 if found[2] == "us" else 1e6), counted, *ours


def _timed(counts: Path, made: Made) -> npt.NDArray[np.float64]:
    """Return the request's counts in ns of the timed calls alone, for they alone took turns with theirs.

    Before them the process answered the first text, checked that one text, and warmed up.
    """
    records, before = np.load(made.samples), 2 + len(np.load(made.warmup))
    called = np.load(counts)[before : before + len(records)] * 1e6
    return called[(records["block"] & LEAD_IN) == 0]


def _take_turns(theirs: Theirs, children: list[Child], number: int) -> None:
    """In blocks, in palindromes that start elsewhere from one to the next, until theirs has ended."""
    for order in islice(block_orders(1 + len(children)), number, None):
        for place in order:
            if place == 0:
                theirs.run_block(PLAN.block_ms / 1e3)
            elif not children[place - 1].is_full:
                children[place - 1].run_block(int(PLAN.block_ms * 1e6), PLAN.timeout_seconds)
        if theirs.is_over():
            return


def _loop(artifact: Artifact, ids: str) -> tuple[list[str], str]:
    """Return the loop's command, and what it writes when it starts to measure."""
    return [sys.executable, str(HERE / "engines_loop.py"), str(artifact.path), ids, str(CALLS)], "measuring"


def _app(artifact: Artifact, ids: str, kept: Path) -> tuple[list[str], str]:
    """Return `benchmark_app` with the settings that our loader compiles with, and our input; as `_loop`."""
    row = np.array([json.loads(ids)], np.int64)
    given = {"input_ids": row, "attention_mask": np.ones_like(row)}
    has_mask = "attention_mask" in (artifact.path / artifact.manifest["model"]).read_text(encoding="utf-8")
    names = list(given) if has_mask else ["input_ids"]
    for name in names:
        np.save(kept / f"{name}.npy", given[name], allow_pickle=False)
    # The app takes -nthreads only without -hint, and says that this is a rule of its command line alone.
    config = {**SETTINGS, **artifact.manifest["precision"]}
    (kept / "config.json").write_text(json.dumps({"CPU": config}), encoding="utf-8")
    command = [
        str(Path(sys.executable).with_name("benchmark_app")),
        *("-m", str(artifact.path / artifact.manifest["model"])),
        *("-d", "CPU", "-hint", "latency", "-api", "sync", "-inference_only", "-niter", str(CALLS)),
        *("-load_config", str(kept / "config.json")),
        *("-data_shape", ",".join(f"{name}[1,{row.shape[1]}]" for name in names)),
        *("-i", ",".join(f"{name}:{kept / name}.npy" for name in names)),
    ]
    return command, "First inference took"


def _ids(folder: Path) -> list[int]:
    return open_tokenizer(folder / "tokenizer.json", 64)(TEXT)


def _row(figure: Figure) -> str:
    ratios = np.array(figure.ours) / np.array(figure.theirs)
    ratio = log_t_interval(ratios, PLAN.confidence)
    verdict = "yes" if ratio.low >= 1 / (1 + BAR) and ratio.high <= 1 + BAR else "no"
    cells = (
        figure.artifact,
        figure.what,
        figure.program,
        f"{np.median(figure.theirs) / 1e3:.1f}",
        f"{np.median(figure.ours) / 1e3:.1f}",
        f"{ratio.estimate:.3f} ({ratio.low:.3f} to {ratio.high:.3f})",
        verdict if figure.is_like else "not the like",
    )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
