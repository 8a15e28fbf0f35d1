"""Hold our figures against the engines' own benchmark programs: same model, input, core and thread, in turns.

    edgekd run bench/studies/clinc150.yaml      # makes the artifacts
    python bench/engines.py [ARTIFACT ...]      # three minutes; writes docs/results/engines.md

Each round starts every program afresh, in an order that is reversed from round to round. OpenVINO's
`benchmark_app` reports the median of the request's own count of a call, which leaves out the Python call
around it; so that very count is read in our processes, too. ONNX Runtime has no such program in its Python
package: a loop around `run`, in a process of its own, stands for it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from engines_subjects import SETTINGS

from edgekd.compile import Artifact, open_artifact
from edgekd.measure.device import ThisMachine
from edgekd.measure.environment import quiet_cores
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.process import child_environment
from edgekd.measure.session import open_session
from edgekd.measure.subject import Subject
from edgekd.serving.tokenize import open_tokenizer
from edgekd.stats.percentiles import log_t_interval

HERE = Path(__file__).resolve().parent
TABLE = HERE.parent / "docs" / "results" / "engines.md"
# 16 tokens: a usual text of CLINC150.
TEXT = "please tell me how much money i have left in my savings account today"
PLAN = MeasurePlan(rounds=8, seconds=0.6)
BAR = 0.03
DEFAULT = (
    "intel-openvino/cut-3l.openvino.int8-nncf",
    "intel-openvino/cut-3l.openvino.fp32",
    "lambda-x86/cut-3l.onnxruntime.int8-dynamic",
    "lambda-x86/cut-3l.onnxruntime.fp32",
)
_HEAD = """\
# Against the engines' own benchmark programs

Median of a runtime call on {tokens} real token ids, one thread, one core, {rounds} rounds of fresh
processes in turns; the ratio is ours over theirs, its interval at 95 % over rounds. The bar is {bar:.0%}.
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


class OneCore(ThisMachine):
    """This machine, on one given core."""

    def __init__(self, core: int) -> None:
        self._core = core

    def quiet_cores(self, count: int) -> tuple[int, ...]:
        """Return the given core."""
        return (self._core,)


def main() -> None:
    """Measure and write the table."""
    os.environ["PYTHONPATH"] = str(HERE)
    folders = [Path(name).resolve() for name in sys.argv[1:]] or [_find(name) for name in DEFAULT]
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as kept:
        device = OneCore(quiet_cores(1)[0])
        for folder in folders:
            print(folder.name, flush=True)
            figures += measure(open_artifact(folder), device, Path(kept))
        environment = device.read_environment(1)
    head = _HEAD.format(tokens=len(_ids(folders[0])), rounds=PLAN.rounds, bar=BAR)
    libraries = ", ".join(" ".join(pair) for pair in environment.libraries)
    foot = f"\n{environment.cpu}; {libraries}; huge pages {environment.huge_pages}.\n"
    command = "\n```\nedgekd run bench/studies/clinc150.yaml\npython bench/engines.py\n```\n"
    TABLE.write_text(head + "\n".join(map(_row, figures)) + "\n" + foot + command, encoding="utf-8")
    print(TABLE.read_text(encoding="utf-8"))


def measure(artifact: Artifact, device: OneCore, kept: Path) -> Iterator[Figure]:
    """Take turns between the engine's program and ours."""
    ids, counts = json.dumps(_ids(artifact.path)), kept / "counts.npy"
    subjects = [Subject("served", "engines_subjects:open_served", (str(artifact.path), ids))]
    is_openvino = artifact.runtime == "openvino"
    if is_openvino:
        given = (str(artifact.path), ids, str(counts))
        subjects.append(Subject("call", "engines_subjects:open_infer", given))
    else:
        subjects.append(Subject("call", "engines_subjects:open_run", (str(artifact.path), ids)))
    session = open_session(subjects, [TEXT], kept / "bench", PLAN, device=device)
    theirs: list[float] = []
    counted: list[float] = []
    for number in range(PLAN.rounds):
        if number % 2:
            theirs.append(_their_median(artifact, ids, device, kept))
        result = session.run_round()
        if is_openvino:
            called = np.load(counts)
            counted.append(float(np.median(called[called > 0]) * 1e6))
        if not number % 2:
            theirs.append(_their_median(artifact, ids, device, kept))
    name = f"{artifact.student}.{artifact.runtime}.{artifact.recipe}"
    ours = {key: [float(np.median(part.ns)) for part in result.samples(key)] for key in ("call", "served")}
    if is_openvino:
        yield Figure(name, "its count in our process", "`benchmark_app`", theirs, counted, True)
        yield Figure(name, "our clock around `infer`", "`benchmark_app`", theirs, ours["call"], True)
    else:
        yield Figure(name, "our clock around `run`", "a loop around `run`", theirs, ours["call"], True)
    program = "`benchmark_app`" if is_openvino else "a loop around `run`"
    yield Figure(name, "as served", program, theirs, ours["served"], False)


def _their_median(artifact: Artifact, ids: str, device: OneCore, kept: Path) -> float:
    """Run the engine's program on the same core, with the environment of our processes; return ns."""
    if artifact.runtime == "openvino":
        found = re.search(r"Median: +([\d.]+) (us|ms)", _run(device, _app(artifact, ids, kept)))
        assert found, "benchmark_app stated no median"
        return float(found[1]) * (1e3 if found[2] == "us" else 1e6)
    loop = [sys.executable, str(HERE / "engines_loop.py"), str(artifact.path), ids, str(PLAN.seconds)]
    return float(_run(device, loop))


def _app(artifact: Artifact, ids: str, kept: Path) -> list[str]:
    """Return `benchmark_app` with the precision and threads that our loader compiles with, and our input."""
    row = np.array([json.loads(ids)], np.int64)
    np.save(kept / "ids.npy", row, allow_pickle=False)
    name = artifact.manifest["input"]["name"]
    # The app takes -nthreads only without -hint, and says that this is a rule of its command line alone.
    config = {**SETTINGS, **artifact.manifest["precision"]}
    (kept / "config.json").write_text(json.dumps({"CPU": config}), encoding="utf-8")
    return [
        str(Path(sys.executable).with_name("benchmark_app")),
        *("-m", str(artifact.path / artifact.manifest["model"])),
        *("-d", "CPU", "-hint", "latency", "-api", "sync", "-inference_only", "-t", "1"),
        *("-load_config", str(kept / "config.json")),
        *("-data_shape", f"{name}[1,{row.shape[1]}]", "-i", f"{name}:{kept / 'ids.npy'}"),
    ]


def _run(device: OneCore, command: list[str]) -> str:
    pinned = ["taskset", "-c", str(device.quiet_cores(1)[0]), *command]
    done = subprocess.run(pinned, env=child_environment(1), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command[0]} ended with {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def _ids(folder: Path) -> list[int]:
    return open_tokenizer(folder / "tokenizer.json", 64)(TEXT)


def _find(name: str) -> Path:
    found = sorted(HERE.glob(f"studies/.edgekd/runs/clinc150-*/artifacts/{name}"))
    if not found:
        sys.exit(f"no artifact {name}: run edgekd run bench/studies/clinc150.yaml first")
    return max(found, key=lambda path: path.stat().st_mtime).resolve()


def _row(figure: Figure) -> str:
    ratio = log_t_interval(np.array(figure.ours) / np.array(figure.theirs), PLAN.confidence)
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
