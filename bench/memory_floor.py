"""Memory of artifacts by stage, and their floors: the smallest limit under which each still answers.

    edgekd run bench/studies/clinc150.yaml                 # makes the artifacts,
    edgekd run bench/studies/banking77.yaml                # the 2-layer one
    python bench/memory_floor.py > docs/results/memory.md  # about a minute and a half
    python bench/memory_floor.py FOLDER ...                # of other artifacts

Every artifact is copied first, so that its pages are in nobody else's memory.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from studied import find_artifact, validation_texts

from edgekd.measure.environment import read_environment
from edgekd.measure.memory.floor import BELOW, CONFIRM_PROCESSES, MAX_SLOWDOWN, MemoryFloor, find_memory_floor
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.process_bench import STAGES, Memory
from edgekd.measure.session import measure_subjects
from edgekd.measure.subject import Subject
from edgekd.units import MIB

VARIANTS = (
    ("clinc150", "static-256.onnxruntime.int8-dynamic"),
    ("banking77", "cut-2l.onnxruntime.int8-dynamic"),
    ("clinc150", "cut-2l.onnxruntime.int8-dynamic"),
    ("clinc150", "cut-2l.onnxruntime.fp32"),
)
COUNT = 300
PLAN = MeasurePlan(rounds=3, seconds=0.2, warmup_seconds=0.05)
FLOOR_HEAD = (
    "| artifact | limit | floor | answer at it | fail at 0.9 of it | peak, no limit | peak RSS | uncounted | "
    "processes |\n" + "| --- " * 9 + "|"
)
FLOOR_NOTE = f"""
A fresh process answers if it loads the artifact and answers {COUNT} texts with a median of at most
{MAX_SLOWDOWN:g} times that without a limit; each floor was confirmed with {CONFIRM_PROCESSES} processes at
it and {CONFIRM_PROCESSES} at {BELOW:g} of it, in turns. The artifact's own files count. What is under
"uncounted", library pages that were in memory already, comes on top of the floor where the machine starts
with nothing in memory.
"""


def measure(name: str, artifact: Path, texts: list[str]) -> tuple[MemoryFloor, list[Memory]]:
    """Measure one artifact, both ways."""
    with tempfile.TemporaryDirectory() as kept:
        copy = shutil.copytree(artifact, Path(kept) / "artifact")
        subject = Subject(name, "edgekd.serving.subject:open_subject", (str(copy), "1"))
        floor = find_memory_floor(subject, texts, Path(kept) / "floor", on_progress=_tell)
        result = measure_subjects([subject], texts, Path(kept) / "bench", PLAN)
        return floor, [process.memory for process in result.subject(name).processes]


def floor_row(floor: MemoryFloor) -> str:
    """Print one line of the table of floors."""
    found = floor.confirmation
    if found is None:
        return f"| {floor.subject} | not measured: {floor.reason} |" + " |" * 7
    rss = max(probe.peak_rss_bytes or 0 for probe in floor.unlimited)
    cells = (
        floor.subject,
        floor.kind,
        f"{found.floor_bytes / MIB:.1f}{'' if found.holds else ' (not confirmed)'}",
        f"{found.answered} of {found.processes}",
        f"{found.processes - found.answered_below} of {found.processes}",
        f"{(floor.unlimited_peak_bytes or 0) / MIB:.1f}",
        f"{rss / MIB:.1f}",
        f"{(floor.uncounted_bytes or 0) / MIB:.1f}",
        len(floor.unlimited) + len(floor.tried),
    )
    return "| " + " | ".join(map(str, cells)) + " |"


def stage_row(name: str, memories: list[Memory]) -> str:
    """Print one line of the table of stages."""
    cells = [name]
    for stage in STAGES:
        sizes = []
        for share in ("rss", "pss", "uss"):
            found = [getattr(getattr(memory, stage), f"{share}_bytes") for memory in memories]
            sizes.append("-" if None in found else f"{statistics.median(found) / MIB:.1f}")
        cells.append(" / ".join(sizes))
    peak = max(memories, key=lambda memory: memory.peak_rss_bytes)
    cells.append(f"{peak.peak_rss_bytes / MIB:.1f} ({peak.peak_stage})")
    return "| " + " | ".join(cells) + " |"


def main(artifacts: dict[str, Path]) -> None:
    """Measure all and print Markdown."""
    texts, here = random.Random(0).sample(validation_texts(), COUNT), read_environment(1)
    measured = {name: measure(name, folder, texts) for name, folder in artifacts.items()}
    floors = [floor for floor, _ in measured.values()]
    libraries = ", ".join(" ".join(library) for library in here.libraries)
    print("# Memory\n\nIn MiB, the Python interpreter included, one thread. By `bench/memory_floor.py` on")
    print(f"{here.cpu}, Linux {here.kernel}, {here.python},\n{libraries}; {here.huge_pages}.\n")
    print("## Floor\n\n" + FLOOR_HEAD)
    print(*map(floor_row, floors), sep="\n")
    print(FLOOR_NOTE)
    for kind, counts in sorted({(floor.kind, floor.counts) for floor in floors if floor.kind}):
        print(f"{kind} counts {counts}.")
    print("\n## By stage\n\nRSS / PSS / USS.\n\n| artifact | " + " | ".join(STAGES) + " | peak RSS |")
    print("| --- " * (2 + len(STAGES)) + "|")
    print(*(stage_row(name, memories) for name, (_, memories) in measured.items()), sep="\n")


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    given = parser.parse_args().folders
    main(
        {folder.name: folder for folder in given}
        or {f"{name} ({study})": find_artifact(name, study=study) for study, name in VARIANTS}
    )
