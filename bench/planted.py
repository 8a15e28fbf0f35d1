"""Does the suite find a regression in an artifact, and only then?

    edgekd run bench/studies/clinc150.yaml       # makes the artifacts
    python bench/planted.py                      # 10 runs with a regression planted, 10 without

The regression is in the artifact itself: a copy whose own loader waits busily for a tenth of each call,
with a manifest that says so. Each run is `pytest bench/suite` in a process of its own, as a CI job starts it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from studied import HERE, find_artifact

from edgekd.compile import Artifact, build_artifact

_STATIC = "static-256.onnxruntime.int8-dynamic"
_WRITTEN = ("files", "format_version", "sha256")
_LOADER = "serving/loader.py"
_SLOWED = """

def _slow_down() -> None:
    import time

    clock = time.perf_counter_ns

    def slow(answer):
        def slowed(self: Model, *given: Any) -> Any:
            start = clock()
            result = answer(self, *given)
            end = start + int((clock() - start) * {factor})
            while clock() < end:
                pass
            return result

        return slowed

    Model.__call__, Model.route = slow(Model.__call__), slow(Model.route)


_slow_down()
"""


class Runs(NamedTuple):
    """How many runs of the suite ended how, and a line that one of the failing ones printed."""

    passed: int
    slower: int
    other: int
    line: str


def copy_artifact(source: Path, copy: Path, appended: str = "") -> Path:
    """Copy an artifact, its loader longer by some code, and make its manifest say so."""
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
    if appended:
        loader = copy / _LOADER
        loader.write_bytes(loader.read_bytes() + appended.encode())
        describe_anew(copy)
    return copy


def describe_anew(folder: Path, **changes: object) -> Artifact:
    """Write an artifact's manifest again for the files that lie there now."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    fields = {key: value for key, value in manifest.items() if key not in _WRITTEN}
    return build_artifact(folder, {**fields, **changes})


def plant_slowdown(source: Path, copy: Path, share: float) -> Path:
    """Copy an artifact so that each call takes `share` longer than it would."""
    return copy_artifact(source, copy, _SLOWED.format(factor=1 + share))


def run_suite(artifacts: Path, baseline: Path, count: int) -> Runs:
    """Run the suite `count` times; show what each said."""
    passed, slower, last = 0, 0, ""
    command = [sys.executable, "-m", "pytest", str(HERE / "suite"), "-p", "no:cacheprovider"]
    command += ["--edgekd-artifacts", str(artifacts), "--edgekd-baseline", str(baseline)]
    for _ in range(count):
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd=HERE.parent,
            env={**os.environ, "COLUMNS": "300"},
        )
        # The line under the failure, or in the summary where there is none.
        found = [line for line in done.stdout.splitlines() if " rounds, " in line]
        last = found[0] if found else done.stdout + done.stderr
        passed += done.returncode == 0 and bool(found)
        slower += done.returncode == 1 and last.startswith("slower: ")
        print(f"exit code {done.returncode}: {last}", flush=True)
    return Runs(passed, slower, count - passed - slower, last)


def main() -> int:
    """Print how many of each ended as they should; the exit code says whether all did."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--artifact", type=Path)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--share", type=float, default=0.10, help="how much slower; 0.10 is 10 %%")
    arguments = parser.parse_args()
    source = (arguments.artifact or find_artifact(_STATIC)).resolve()
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        baseline = copy_artifact(source, folder / "baseline" / source.name).parent
        same = copy_artifact(source, folder / "same" / source.name).parent
        slowed = plant_slowdown(source, folder / "slowed" / source.name, arguments.share).parent
        with_it = run_suite(slowed, baseline, arguments.runs)
        without = run_suite(same, baseline, arguments.runs)
    print(
        f"{arguments.share:.0%} planted in {source.name}: "
        f"{with_it.slower} of {arguments.runs} failed as slower"
    )
    print(f"nothing planted: {without.passed} of {arguments.runs} passed")
    return int(with_it.slower < arguments.runs or without.passed < arguments.runs)


if __name__ == "__main__":
    sys.exit(main())
