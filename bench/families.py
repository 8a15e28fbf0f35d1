"""Does each family of transformers go through edgekd, with the labels of transformers' own pipeline?

    python bench/families.py                    # all that is missing: docs/results/families.md
    python bench/families.py --only bert,gpt2   # some of them, anew

Each family is a small model with random weights and a tokenizer of its own class (`families_models.py`). It
is compiled as anybody's folder is. 1,000 texts of xSID, in 22 languages and dialects, go into the artifact; a
tenth of them are four texts in one, so that they are cut. Their labels are held against those of
`pipeline("text-classification")` of the same folder. Then it is a teacher: fine-tuned on 64 texts, cut with
adapters, and made narrow with features. Each family has a process of its own; what it found lies in
bench/.edgekd/families, and a study that was stopped goes on there.

A cell is "works", "refused" with edgekd's words, or a defect: another exception, a process that died, or
labels of which fewer than 99.9 % are the pipeline's.
"""

from __future__ import annotations

import argparse
import gzip
import json
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nncf  # noqa: F401  (imported once for all families)
import onnxscript  # noqa: F401
import openvino  # noqa: F401
import peft  # noqa: F401
from families_models import FAMILIES, TOKENS, write_model
from studied import HERE

FOUND = HERE / ".edgekd" / "families"
TABLE = HERE.parent / "docs" / "results" / "families.md"
DATA = HERE.parent.parent / "shared" / "data" / "xsid" / "xsid.jsonl.gz"
TEXTS, CALIBRATING, TAUGHT, SAME = 1000, 60, 64, 0.999
_SECONDS = 900
PARTS = ("compile", "int8", "teacher", "adapted", "narrow")


def read_texts(path: Path) -> list[str]:
    """Return 1,000 texts, evenly over the file's languages; each tenth is four of them in one."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    step = len(rows) // (TEXTS + 3 * TEXTS // 10)
    texts = [row["text"] for row in rows[::step]]
    return [" ".join(texts[i : i + 4]) if i % 10 == 0 else texts[i] for i in range(TEXTS)]


def study(name: str, texts: Sequence[str], folder: Path) -> dict[str, Any]:
    """Take one family through; returns a word for each part, and what was counted."""
    from transformers import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    model = folder / name
    write_model(name, model, texts)
    found: dict[str, Any] = {}
    found |= attempt("compile", lambda: compare(model, texts, folder / "out"))
    teacher = folder / "teacher"
    found |= attempt("teacher", lambda: teach(model, texts, teacher))
    for kind in ("adapted", "narrow"):
        if found["teacher"] == "works":
            found |= attempt(kind, lambda kind=kind: distil_one(kind, teacher, texts, folder / kind))
        else:
            found[kind] = "no teacher"
    return {
        part: said.replace(f"{folder}/", "") if isinstance(said, str) else said
        for part, said in found.items()
    }


def attempt(part: str, job: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Do a part; what edgekd refuses is said in its words, and anything else that it raises is a defect."""
    from edgekd.errors import EdgekdError

    try:
        return {part: "works", **job()}
    except EdgekdError as error:
        return {part: f"refused: {error}"}
    except Exception as error:  # noqa: BLE001  (that is what is looked for)
        return {part: f"defect: {type(error).__name__}: {' '.join(str(error).split())[:300]}"}


def compare(model: Path, texts: Sequence[str], out: Path) -> dict[str, Any]:
    """Compile a folder, and compare the labels of the fp32 artifact with the pipeline's."""
    from transformers import pipeline

    from edgekd.config import Target
    from edgekd.progress import silent
    from edgekd.serving import load
    from edgekd.single.foreign import compile_foreign

    pipe = pipeline("text-classification", model=str(model), tokenizer=str(model), device="cpu")
    wanted = [pipe(text, truncation=True, top_k=2) for text in texts]
    tokenizer = pipe.tokenizer
    cut = sum(len(tokenizer(text)["input_ids"]) > TOKENS for text in texts)
    builds = [("onnxruntime", "fp32"), ("onnxruntime", "int8-dynamic"), ("openvino", "int8-nncf")]
    target = Target.model_validate(
        {
            "name": "study",
            "hardware": {"arch": "x86_64", "vcpus": 1, "memory_mib": 4096},
            "builds": [{"runtime": runtime, "recipe": recipe} for runtime, recipe in builds],
        }
    )
    built = compile_foreign(model, [target], texts[:CALIBRATING], out, silent)
    made = {variant.split(".", 1)[1]: artifact for _, variant, artifact in built}
    problems = [f"{name}: {error}" for name, error in made.items() if isinstance(error, Exception)]
    if isinstance(exact := made["onnxruntime.fp32"], Exception):
        raise exact
    classify = load(exact.path)
    labels = [classify(text).label for text in texts]
    same = sum(label == best[0]["label"] for label, best in zip(labels, wanted, strict=True))
    found = {
        "same": same,
        "cut": cut,
        "labels": len({best[0]["label"] for best in wanted}),
        "close": sum(best[0]["score"] - best[1]["score"] < 1e-3 for best in wanted),
        "int8": "works" if not problems else f"refused: {'; '.join(problems)}",
    }
    if same < SAME * len(texts):
        found["compile"] = f"defect: {same} of {len(texts)} labels are the pipeline's"
    return found


def teach(model: Path, texts: Sequence[str], folder: Path) -> dict[str, Any]:
    """Fine-tune a teacher on labels that are in the texts: how long they are."""
    from edgekd.config import Emphasis, Training
    from edgekd.distill.examples import Lesson, Session
    from edgekd.distill.fine_tune import Checkpoint, fine_tune
    from edgekd.distill.learners.classify import classify_rows

    folder.mkdir()
    learner = classify_rows(("long", "short"), Emphasis(), "teacher")
    learn, judged = examples(texts)
    training = Training(epochs=1, learning_rate=1e-3, batch=16)
    checkpoint = Checkpoint("teacher", str(model), TOKENS, training)
    fine_tune(checkpoint, Lesson(learner, learn, judged), folder, Session("intent", 0, 1))
    return {}


def distil_one(kind: str, teacher: Path, texts: Sequence[str], folder: Path) -> dict[str, Any]:
    """Distil a student of the teacher, export it, and hold the graph against it."""
    from dataclasses import replace

    import numpy as np

    from edgekd.config import Distillation, FeatureStage, Lora, NarrowModel, Training, TransformerModel
    from edgekd.distill.distil import distil
    from edgekd.distill.examples import Lesson, Session
    from edgekd.distill.learners.classify import classify_as_taught
    from edgekd.distill.reference import reference_outputs
    from edgekd.distill.student import load_module, open_student, student_tokens
    from edgekd.distill.teacher import load_teacher, open_teacher, teacher_tokens

    folder.mkdir()
    opened = open_teacher(teacher, "digest")
    parts = []
    for part in examples(texts):
        tokens = teacher_tokens(opened, list(part.texts))
        parts.append(replace(part, taught=reference_outputs(load_teacher(opened), tokens, threads=1)))
    common = {
        "name": kind,
        "max_tokens": TOKENS,
        "training": Training(epochs=2, learning_rate=1e-3, batch=16),
    }
    model = (
        TransformerModel(kind="transformer", layers=(0, -1), lora=Lora(rank=2), **common)
        if kind == "adapted"
        else NarrowModel(kind="narrow", layers=2, width=24, heads=2, feed_forward=40, **common)
    )
    lesson = Lesson(classify_as_taught(opened.outputs, Distillation()), *parts)
    features = FeatureStage(epochs=1) if kind == "narrow" else None
    distil(model, opened, lesson, folder, Session("intent", 0, 1), features=features)
    student = open_student(folder, "digest")
    outputs = reference_outputs(load_module(student), student_tokens(student, parts[1].texts), threads=1)
    assert np.isfinite(outputs).all()
    return {}


def examples(texts: Sequence[str]) -> tuple[Any, ...]:
    """Return rows that teach and rows that judge, with classes by length."""
    import numpy as np

    from edgekd.distill.examples import Examples

    parts = texts[:TAUGHT], texts[TAUGHT : TAUGHT + TAUGHT // 2]
    middle = float(np.median([len(text) for text in texts]))
    return tuple(Examples(part, np.array([int(len(text) < middle) for text in part])) for part in parts)


def run_child(name: str, texts: Sequence[str]) -> dict[str, Any]:
    """Study a family in a process of its own, forked from this one, which has the libraries imported."""
    forked = multiprocessing.get_context("fork")
    mine, theirs = forked.Pipe(duplex=False)
    child = forked.Process(target=answer, args=(theirs, name, texts))
    child.start()
    theirs.close()
    try:
        if mine.poll(_SECONDS):
            found: dict[str, Any] = mine.recv()
            return found
        return {"compile": f"defect: not done after {_SECONDS} s"}
    except EOFError:
        child.join()
        return {"compile": f"defect: the process ended with {child.exitcode}"}
    finally:
        child.kill()
        child.join()


def answer(sink: Any, name: str, texts: Sequence[str]) -> None:
    """Study a family and send what was found."""
    with tempfile.TemporaryDirectory() as folder:
        sink.send(study(name, texts, Path(folder)))


def write_table(found: dict[str, dict[str, Any]]) -> None:
    """Write the table of all families that were studied."""
    lines = ["# Families of transformers", "", *(__doc__ or "").split("\n\n", 2)[2].strip().splitlines(), ""]
    lines += [
        "| family | labels as the pipeline's | of them cut | int8 | teacher | cut, LoRA | narrow, features |"
    ]
    lines += ["| --- | --- | --- | --- | --- | --- | --- |"]
    notes: list[str] = []
    for name, parts in found.items():
        cells = [note(str(parts.get(part, "not tried")), notes) for part in PARTS]
        share = f"{parts['same']} of {TEXTS}" if "same" in parts else ""
        first = f"{share} {cells[0]}" if share and cells[0] != "works" else share or cells[0]
        lines.append(f"| {name} | {first} | {parts.get('cut', '')} | {' | '.join(cells[1:])} |")
    lines += ["", *(f"- [{number}] {words}" for number, words in enumerate(notes, 1)), ""]
    if missing := [name for name in FAMILIES if name not in found]:
        lines += [f"Not studied yet: {', '.join(missing)}.", ""]
    TABLE.write_text("\n".join([*lines, "Command: `python bench/families.py`", ""]), encoding="utf-8")


def note(cell: str, notes: list[str]) -> str:
    """Shorten a cell to its first word, and put the rest into a note."""
    kind, _, words = cell.partition(": ")
    if not words:
        return cell
    if words not in notes:
        notes.append(words)
    return f"{kind} [{notes.index(words) + 1}]"


def main() -> None:
    """Study what is missing, or what is asked for, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=DATA, help="xsid.jsonl.gz")
    parser.add_argument("--only", default="", help="families, with commas between")
    given = parser.parse_args()
    texts = read_texts(given.data)
    FOUND.mkdir(parents=True, exist_ok=True)
    asked = given.only.split(",") if given.only else []
    for name in asked or FAMILIES:
        path = FOUND / f"{name}.json"
        if asked or not path.exists():
            path.write_text(json.dumps(run_child(name, texts), indent=1), encoding="utf-8")
            print(name, path.read_text(encoding="utf-8"), flush=True)
    paths = {name: FOUND / f"{name}.json" for name in FAMILIES}
    write_table({name: json.loads(path.read_text("utf-8")) for name, path in paths.items() if path.exists()})


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
