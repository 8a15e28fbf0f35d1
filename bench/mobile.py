"""What low-memory mobile gains by shared rows and 4-bit tables, and what it pays, on CLINC150's test rows.

    edgekd run bench/studies/clinc150.yaml    # makes the artifacts and their answers
    python bench/mobile.py                    # a minute

Further loss is against the unpruned int8 variant of the same student, paired, with a one-sided 95 % bound.
Memory is what a process adds to itself by loading the artifact and answering 300 texts, after it has imported
the runtime (and numpy, which that imports); the median of 9 processes. The last column is after one text
more, which is not ASCII: only then the table of characters is read.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
from quality import open_study
from studied import HERE, find_artifact, validation_texts

from edgekd.compile import open_artifact
from edgekd.data.slices import slice_masks
from edgekd.evaluate.drop import paired_drop
from edgekd.pipeline.learning import load_stage
from edgekd.units import MIB

TABLE = HERE.parent / "docs" / "results" / "mobile.md"
PROCESSES, TEXTS = 9, 300
_SCRIPT = """
import importlib, json, sys
def memory(key):
    for line in open("/proc/self/status"):
        if line.startswith(key): return int(line.split()[1]) * 1024
artifact, runtime = sys.argv[1:]
import numpy
importlib.import_module(runtime)
texts = json.load(sys.stdin)
before = memory("VmRSS")
open("/proc/self/clear_refs", "w").write("5")
sys.path.insert(0, artifact)
from serving import load
model = load(artifact)
for text in texts: model(text)
print(memory("VmRSS") - before, memory("VmHWM") - before, end=" ")
model("où est ma commande 🙂")
print(memory("VmRSS") - before)
"""
_MODULES = {"onnxruntime": "onnxruntime", "litert": "ai_edge_litert.interpreter"}


def main() -> None:
    """Measure and write the table."""
    base = open_study("clinc150")
    test = load_stage(base).split("test")
    mask = slice_masks(test, base.project.slices)["overall"]
    lines = [
        "# Low-memory mobile",
        "",
        *(line for line in (__doc__ or "").splitlines()[5:] if line),
        "",
        "| variant | MB | accuracy | further loss (bound) | MiB added | at the peak | beyond ASCII |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    newest = max(HERE.glob("studies/.edgekd/runs/clinc150-[0-9a-f]*/evidence/mobile-lowmem"), key=_age)
    built = (path for path in newest.iterdir() if path.is_dir() and not path.name.startswith("incumbent."))
    for folder in sorted(built):
        student, runtime, _ = folder.name.split(".", 2)
        full = newest / f"{student}.onnxruntime.int8-dynamic"
        hits, whole = (
            (np.load(one / "logits.npy", allow_pickle=False).argmax(1) == test.classes)[mask]
            for one in (folder, full)
        )
        drop = paired_drop("unpruned int8", whole, hits)
        artifact = find_artifact(folder.name, target="mobile-lowmem")
        added, peak, beyond = measure_memory(artifact, _MODULES[runtime])
        size = open_artifact(artifact).size_bytes
        lines.append(
            f"| {folder.name} | {size / 1e6:.2f} | {hits.mean():.2%} | {100 * drop.estimate:+.2f} points "
            f"(≤ {100 * drop.high:+.2f}) | {added / MIB:.1f} | {peak / MIB:.1f} | {beyond / MIB:.1f} |"
        )
    lines += ["", "```sh", "python bench/mobile.py", "```"]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _age(path: Path) -> float:
    return path.stat().st_mtime


def measure_memory(artifact: Path, runtime: str) -> list[float]:
    """Return bytes of resident memory added: after ASCII, at the peak, after more; medians over processes."""
    found = []
    for _ in range(PROCESSES):
        done = subprocess.run(
            [sys.executable, "-c", _SCRIPT, str(artifact), runtime],
            input=json.dumps(validation_texts()[:TEXTS]),
            capture_output=True,
            text=True,
            check=True,
        )
        found.append([int(word) for word in done.stdout.split()])
    return [statistics.median(column) for column in zip(*found, strict=True)]


if __name__ == "__main__":
    main()
