"""Make all that `measure.py` measures: environments, the student's folder, exports, answers.

    python bench/peers/prepare.py [RUN]     # about ten minutes the first time; what is done stays done

RUN is a run directory of the CLINC150 study that holds students/cut-2l; the newest unless told.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from environments import make_environments
from lineup import ANSWERS, ENTRIES, HERE, STUDENT, STUDY, TEXTS, THREADS, WORK, Entry
from student import compile_ours, prove_folder, student_answers, write_folder

from edgekd.config.reading import load_project
from edgekd.data.load import load_data
from edgekd.measure.process import child_environment

TIMED = 300


def main() -> None:
    """Do what is not done yet."""
    runs = STUDY.parent.glob(".edgekd/runs/clinc150-*/students/cut-2l/model.safetensors")
    found = (
        [Path(sys.argv[1]) / "students" / "cut-2l"] if len(sys.argv) > 1 else [path.parent for path in runs]
    )
    if not found:
        sys.exit(f"no student cut-2l: run edgekd run {STUDY.name} with the 2-layer student first")
    source = max(found, key=lambda folder: (folder / "model.safetensors").stat().st_mtime)
    project = load_project(STUDY)
    data = load_data(project.data, STUDY.parent, project.seed)
    validation, test, calibration = (data.split(name) for name in ("validation", "test", "calibration"))
    texts = validation.texts[:: len(validation) // TIMED][:TIMED]
    make_environments(entry.environment for entry in ENTRIES)
    write_folder(source)
    parity = prove_folder(source, texts)
    print(f"student's folder: {parity.texts} texts, logits differ by at most {parity.worst:.2g}", flush=True)
    truth = [test.outputs[index] for index in test.classes]
    _write(TEXTS, {"timed": texts, "truth": truth, "parity": [parity.texts, parity.worst]})
    _write(WORK / "test.json", test.texts)
    _write(WORK / "calibration.json", calibration.texts)
    ANSWERS.mkdir(exist_ok=True)
    _write(ANSWERS / "student.json", student_answers(source, test.texts))
    compile_ours(source, calibration)
    for entry in ENTRIES:
        if entry.environment and not (entry.folder / "config.json").is_file():
            print(f"export {entry.name}", flush=True)
            export(entry)
    for entry in ENTRIES:
        if not answers_file(entry).is_file():
            print(f"answers of {entry.name}", flush=True)
            _run(
                entry,
                "answer.py",
                entry.factory,
                entry.folder,
                THREADS,
                WORK / "test.json",
                answers_file(entry),
            )


def answers_file(entry: Entry) -> Path:
    """Where an entry's answers to the test texts lie."""
    return ANSWERS / f"{entry.factory.partition(':')[2]}-{entry.model}.json"


def export(entry: Entry) -> None:
    """Export in the peer's environment; the folder appears whole or not at all."""
    making = entry.folder.with_suffix(".part")
    shutil.rmtree(making, ignore_errors=True)
    shutil.rmtree(entry.folder, ignore_errors=True)
    making.mkdir(parents=True)
    _run(entry, "export.py", entry.model, STUDENT, making, WORK / "calibration.json")
    making.rename(entry.folder)


def _run(entry: Entry, script: str, *arguments: object) -> None:
    """Run a script of this folder in an entry's environment, which may not ask any hub."""
    environment = {**child_environment(int(THREADS)), "HF_HUB_OFFLINE": "1"}
    subprocess.run([entry.python, HERE / script, *map(str, arguments)], check=True, env=environment, cwd=WORK)


def _write(path: Path, document: object) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(document), encoding="utf-8")
    os.replace(part, path)  # noqa: PTH105


if __name__ == "__main__":
    main()
