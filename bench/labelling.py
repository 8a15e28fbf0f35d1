"""Throughput of labelling with a study's teacher: its forms against `transformers` in float32, in turns.

    edgekd label bench/studies/clinc150.yaml    # makes the teacher
    python bench/labelling.py                   # fifteen minutes; writes docs/results/labelling.md

Every arm gets texts and gives labels: tokenization counts for all, and for ours also the store (keys, half
precision, files flushed to the disk). `transformers` gets batches sorted by length, with padding and mask.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from studied import HERE

from edgekd.config import load_project
from edgekd.distill.labels.agreement import LEAST_TOP1, MOST_KL, SoftmaxAgreement, compare_softmax
from edgekd.distill.labels.fill import Wanted, fill_store
from edgekd.distill.labels.kept import divergence, keep_outputs
from edgekd.distill.labels.labeller import Labeller
from edgekd.distill.labels.store import LabelStore
from edgekd.distill.labels.trial import CLOSE_SHARE, try_labeller
from edgekd.distill.learners.classify import Classify
from edgekd.distill.reference import reference_outputs, torch_labeller
from edgekd.distill.teacher import HeadedEncoder, Teacher, load_teacher, open_teacher, teacher_tokens
from edgekd.distill.training.tokens import length_batches
from edgekd.engines.step import Folder
from edgekd.export.graph import Graph
from edgekd.measure.environment import read_environment
from edgekd.pipeline.context import Context
from edgekd.pipeline.exporting import export_step, open_exported
from edgekd.pipeline.labeller import CALIBRATION, SAMPLE, texts_to_label
from edgekd.pipeline.learning import load_stage, teacher_step
from edgekd.pipeline.opening import TEACHER
from edgekd.pipeline.teacher_forms import COMPILED, FORMS, compile_form, open_form, open_network
from edgekd.progress import silent

PROJECT = HERE / "studies" / "clinc150.yaml"
TABLE = HERE.parent / "docs" / "results" / "labelling.md"
THREADS = (1, 2)
ROUNDS, TEXTS = 5, 6000
# The fastest of 16, 32, 64 and 128 for `transformers` on these texts, by number of threads.
PADDED_BATCH = {1: 32, 2: 128}
REFERENCE = "transformers float32, padded"
_HEAD = """\
# Labelling

Texts a second with the teacher of `bench/studies/clinc150.yaml` (MiniLM-L6, {labels} labels; {tokens:.1f}
tokens a text): {rounds} rounds of {texts} texts that the study labels (train rows and their noisy copies),
other texts each round; in a round every form labels the same texts, in turns. From text to label:
tokenization counts, and for our forms the store too. Speed-up is the median over rounds of the ratio to
`transformers`, with its range. KL and agreement are against `transformers`' labels, over all {all} texts, as
read back from the store. Allowed are a mean KL of {kl} and an agreement of {top1:.1%}.

| threads | form | texts/s | speed-up | mean KL at T = 2 | worst KL | top-1 agreement | by float32 |
| --- | --- | --- | --- | --- | --- | --- | --- |
"""

_KEPT = """\
## If only the largest logits were kept

The others' mass, and the mean KL of taking their shape for flat, over 10,000 of these texts; bytes of the
logits and of their labels' numbers.

| kept | bytes | mass at T = 1 | KL | mass at T = 2 | KL | mass at T = 4 | KL |
| --- | --- | --- | --- | --- | --- | --- | --- |"""


class Found(NamedTuple):
    """What one form did in one round."""

    seconds: float
    logits: npt.NDArray[np.float32]
    exact_rows: int


def main() -> None:
    """Measure and write the table."""
    notes: list[str] = []
    context = Context(
        load_project(PROJECT, ()), PROJECT.parent, lambda _: contextlib.nullcontext(silent), notes.append
    )
    data = load_stage(context)
    step = teacher_step(context)
    stage, exported = context.engine.run([step, export_step(context, step, TEACHER)])
    source = Folder(stage.path, stage.digest)
    teacher = open_teacher(stage.path, stage.digest)
    graph = open_exported(exported.path, source, TEACHER)
    print("\n".join(notes), flush=True)
    texts = texts_to_label(data, source, context.project.distillation.augmentations, 0)[0].texts
    order = np.random.default_rng(0).permutation(len(texts))
    shuffled = [texts[i] for i in order]
    lines = []
    for threads in THREADS:
        for line in measure(teacher, graph, shuffled, threads):
            print(line, flush=True)
            lines.append(line)
    tokens = teacher_tokens(teacher, shuffled[:10_000])
    head = _HEAD.format(
        labels=len(teacher.outputs), tokens=len(tokens.ids) / len(tokens), rounds=ROUNDS, texts=TEXTS,
        all=ROUNDS * TEXTS, kl=MOST_KL, top1=LEAST_TOP1,
    )  # fmt: skip
    kept = kept_rows(reference_outputs(load_teacher(teacher), tokens, threads=2))
    lines += ["", _KEPT, *kept]
    environment = read_environment(2)
    libraries = ", ".join(" ".join(pair) for pair in environment.libraries)
    foot = f"\n{environment.cpu}, {environment.cores} cores; {libraries}.\n"
    command = "\n```\nedgekd label bench/studies/clinc150.yaml\npython bench/labelling.py\n```\n"
    TABLE.write_text(head + "\n".join(lines) + "\n" + foot + command, encoding="utf-8")


def measure(teacher: Teacher, graph: Graph, texts: list[str], threads: int) -> list[str]:
    """Measure every form with so many threads; returns the table's rows."""
    torch.set_num_threads(threads)
    model, network = load_teacher(teacher), open_network(teacher)
    exact = torch_labeller(network, threads=threads)
    found: dict[str, list[Found]] = {REFERENCE: []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        forms = {exact.name: exact}
        calibration = teacher_tokens(teacher, texts[:CALIBRATION])
        sample = teacher_tokens(teacher, texts[CALIBRATION : CALIBRATION + SAMPLE])
        for form in reversed(FORMS):
            if form in COMPILED:
                compile_form(form, graph, calibration, folder)
            forms[form] = open_form(form, folder, network, threads)
        best = "openvino int8"
        gap = try_labeller(exact, forms[best], sample, Classify(teacher.outputs)).gap
        forms[f"{best}, closest {CLOSE_SHARE:.0%} by float32"] = Labeller(
            best, forms[best].label, exact=exact, gap=gap
        )
        for number in range(-1, ROUNDS):  # the first round warms up
            start = CALIBRATION + SAMPLE + TEXTS * max(number, 0)
            block = texts[start : start + (TEXTS if number >= 0 else TEXTS // 6)]
            arms = list(forms.items())
            turned = arms[number % len(arms) :] + arms[: number % len(arms)]
            results = {REFERENCE: label_padded(model, teacher, block)}
            results |= {form: label_stored(one, teacher, block, folder) for form, one in turned}
            if number >= 0:
                for form, result in results.items():
                    found.setdefault(form, []).append(result)
    return [_row(threads, form, rounds, found[REFERENCE]) for form, rounds in found.items()]


def label_padded(model: HeadedEncoder, teacher: Teacher, texts: list[str]) -> Found:
    """Label as `transformers` would: batches sorted by length, padded, with a mask."""
    began = time.perf_counter()
    tokens = teacher_tokens(teacher, texts)
    logits = np.empty((len(texts), len(teacher.outputs)), np.float32)
    with torch.inference_mode():
        for picked in length_batches(tokens.lengths, PADDED_BATCH[torch.get_num_threads()]):
            ids, mask = map(torch.from_numpy, tokens.padded(picked))
            logits[picked] = model(ids, mask).numpy()
    return Found(time.perf_counter() - began, logits, 0)


def label_stored(labeller: Labeller, teacher: Teacher, texts: list[str], folder: Path) -> Found:
    """Label into an empty store, and read the labels back."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        began = time.perf_counter()
        store = LabelStore(Path(place), teacher.digest, len(teacher.outputs))
        nothing: list[list[str]] = [[]] * len(texts)
        wanted = Wanted(texts, nothing, nothing)
        fill_store(store, wanted, lambda some: teacher_tokens(teacher, list(some)), labeller)
        seconds = time.perf_counter() - began
        logits = LabelStore(store.folder, teacher.digest, len(teacher.outputs)).read(texts, 2.0)[:]
        by = {one["name"]: one["rows"] for one in store.labellers()}
    rows = by.get(labeller.exact.name, 0) if labeller.exact else 0
    return Found(seconds, logits.astype(np.float32), rows)


def kept_rows(logits: npt.NDArray[np.float32]) -> list[str]:
    """What it would cost to keep the largest logits alone, and the mass of the others at each temperature."""
    lines, labels = [], logits.shape[1]
    ordered = np.sort(logits.astype(np.float64), axis=1)[:, ::-1]
    for kept in (8, 16, 32, 64, 128):
        cells = []
        for temperature in (1.0, 2.0, 4.0):
            shares = np.exp(ordered / temperature)
            others = shares[:, kept:].sum(axis=1)
            common = temperature * np.log(others / (labels - kept))
            flat = np.where(np.arange(labels) < kept, ordered, common[:, None])
            kl = divergence(ordered, flat, temperature).mean()
            cells.append(f"{(others / shares.sum(axis=1)).mean():.1%} | {kl:.1e}")
        lines.append(f"| {kept} | {4 * kept} | {' | '.join(cells)} |")
    whole = keep_outputs(logits)
    kl = [divergence(logits, whole.expand(t), t).mean() for t in (1.0, 2.0, 4.0)]
    lines.append(f"| all {labels} | {2 * labels} | {' | '.join(f'0 | {one:.1e}' for one in kl)} |")
    worst = float(whole.error_bound(2.0).max())
    lines.append(f"\nWhere all are kept the bound of docs/labelling.md says at most {worst:.1e} at T = 2.")
    return lines


def _row(threads: int, form: str, rounds: list[Found], reference: list[Found]) -> str:
    rate = float(np.median([len(one.logits) / one.seconds for one in rounds]))
    ratios = [other.seconds / one.seconds for one, other in zip(rounds, reference, strict=True)]
    speed = "1" if form == REFERENCE else f"{np.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
    words = ["", "", "", ""]
    if form != REFERENCE:
        agreement: SoftmaxAgreement = compare_softmax(
            np.concatenate([one.logits for one in reference]), np.concatenate([one.logits for one in rounds])
        )
        share = sum(one.exact_rows for one in rounds) / agreement.texts
        words = [f"{agreement.mean_kl:.1e}", f"{agreement.worst_kl:.1e}", f"{agreement.top1:.3%}"]
        words.append(f"{share:.1%}" if share else "")
    return f"| {threads} | {form} | {rate:.0f} | {speed} | {' | '.join(words)} |"


if __name__ == "__main__":
    main()
