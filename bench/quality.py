"""What students keep of their teacher's in-scope accuracy on test rows: three seeds, one teacher.

    python bench/quality.py                              # hours; goes on where it was stopped
    python bench/quality.py --study clinc150 --seed 1    # another process may do --seed 2 meanwhile

Each student of a study is distilled with each seed from the same teacher and labels, as `edgekd distill` does
it (seed 0 is the study's own; the others take one thread), and answers the test rows in fp32. Settings were
chosen on validation and calibration rows; bench/ablations.py takes them one at a time.
"""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from studied import HERE

from edgekd.config import load_project
from edgekd.data.slices import slice_masks
from edgekd.data.taskdata import TaskData
from edgekd.engines.step import Step
from edgekd.pipeline.answering import read_answers, reference_step
from edgekd.pipeline.context import Context
from edgekd.pipeline.labelling import label_stage
from edgekd.pipeline.learning import distil_step, load_stage, teacher_step
from edgekd.pipeline.opening import TEACHER
from edgekd.progress import silent

STUDIES = ("clinc150", "banking77", "clinc150-mpnet")
TABLE = HERE.parent / "docs" / "results" / "quality.md"
KEPT = TABLE.with_suffix(".jsonl")
_HEAD = """\
# Quality of the students

In-scope accuracy on test rows, in fp32, of students distilled from one teacher with several seeds (order
of rows, dropout, fresh weights): mean, and the range over seeds. Kept is the students' mean over the
teacher's accuracy. Agreement is the share of in-scope rows that get the teacher's answer.
MPNet's students saw fewer rows than MiniLM's on CLINC150: 2 copies of a row instead of 24, about a fifth of
the rows (2 layers) and a third (static). What they would keep with as many was not measured.

| study | teacher | student | seeds | accuracy | range | kept | agreement |
| --- | --- | --- | --- | --- | --- | --- | --- |
"""


def open_study(study: str, seed: int = 0, settings: Sequence[str] = ()) -> Context:
    """Open a study's project file; its seed is that of students."""
    path = HERE / "studies" / f"{study}.yaml"
    project = load_project(path, [f"seed={seed}", *settings])
    return Context(project, path.parent, lambda _: contextlib.nullcontext(silent), print)


def answer(context: Context, test: TaskData, source: Step, model: str) -> npt.NDArray[np.int64]:
    """Answer every test row with what a step trains: class [row]."""
    stage = context.engine.make(reference_step(context, source, model, "test"))
    return read_answers(stage.path, test).labels


def measure(study: str, seeds: Sequence[int]) -> None:
    """Distil and judge every student of a study; stages that are there already cost nothing."""
    base = open_study(study)
    data = load_stage(base)
    test = data.split("test")
    teacher = teacher_step(base)
    labels = label_stage(base, data, teacher)
    in_scope = slice_masks(test, base.project.slices)["overall"]
    classes = test.classes[in_scope]
    taught = answer(base, test, teacher, TEACHER)[in_scope]
    for model in base.students:
        for seed in seeds:
            context = open_study(study, seed, ("threads=1",) if seed else ())
            step = distil_step(context, teacher, labels.step, model)
            student = context.engine.make(step)
            answers = answer(base, test, step, model.name)[in_scope]
            found = {
                "study": study,
                "teacher": base.teacher.name,
                "student": model.name,
                "seed": seed,
                "rows": len(classes),
                "accuracy": float((answers == classes).mean()),
                "teacher_accuracy": float((taught == classes).mean()),
                "agreement": float((answers == taught).mean()),
                "weights": student.digest,
            }
            print(json.dumps(found), flush=True)
            keep(found)


def keep(entry: dict[str, Any]) -> None:
    """Put an entry into the file, in the place of the one of the same study, student and seed."""
    names = ("study", "student", "seed")
    entries = [json.loads(line) for line in KEPT.read_text("utf-8").splitlines()] if KEPT.exists() else []
    entries = [one for one in entries if any(one[name] != entry[name] for name in names)] + [entry]
    entries.sort(key=lambda one: [one[name] for name in names])
    KEPT.write_text("".join(json.dumps(one) + "\n" for one in entries), encoding="utf-8")


def write_table() -> None:
    """Write the table of all that is kept."""
    entries = [json.loads(line) for line in KEPT.read_text("utf-8").splitlines()]
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for one in entries:
        groups.setdefault((one["study"], one["student"]), []).append(one)
    lines = []
    for (study, student), ones in groups.items():
        accuracies = np.array([one["accuracy"] for one in ones])
        whole = ones[0]["teacher_accuracy"]
        mean = accuracies.mean()
        lines.append(
            f"| {study} | {ones[0]['teacher']}, {whole:.2%} | {student} | {len(ones)} | {mean:.2%} | "
            f"{accuracies.min():.2%} to {accuracies.max():.2%} | {mean / whole:.2%} | "
            f"{np.mean([one['agreement'] for one in ones]):.2%} |"
        )
    foot = "\n```\npython bench/quality.py\n```\n"
    TABLE.write_text(_HEAD + "\n".join(lines) + "\n" + foot, encoding="utf-8")


def main() -> None:
    """Measure what is asked for and write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--study", choices=STUDIES, action="append")
    parser.add_argument("--seed", type=int, action="append")
    given = parser.parse_args()
    for study in given.study or STUDIES:
        measure(study, given.seed or (range(3) if study in STUDIES[:2] else [0]))
    write_table()


if __name__ == "__main__":
    main()
