"""Examples a second of distillation: our loop against Hugging Face's Trainer, same student, data and threads.

    edgekd run bench/studies/clinc150.yaml    # trains the teacher
    python bench/training.py                  # a quarter of an hour; writes docs/results/training.md

The student is the 2-layer cut of the teacher with its vocabulary pruned, the rows are CLINC150's training
rows, the loss is (1 - alpha) * CE + alpha * T^2 * KL for all. Each contender trains one epoch in a fresh
process, in turns; import, tokenization and the first steps are left out for all alike. "Teacher in the loop"
is the common way: dynamic padding, the teacher's forward pass in every step. "Cached logits" spares it that.
Ours reads labels that were computed once: their time is added, divided by the epochs that are trained.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from studied import HERE

from edgekd.stats.percentiles import log_t_interval

TABLE = HERE.parent / "docs" / "results" / "training.md"
STUDY = HERE / "studies" / "clinc150.yaml"
ROWS, BATCH, EPOCHS, ALPHA, TEMPERATURE, ROUNDS = 4096, 64, 7, 0.9, 2.0, 5
CONTENDERS = {
    "edgekd": "edgekd's loop, as it is used (bf16 where the CPU has it)",
    "edgekd-fp32": "edgekd's loop in fp32",
    "trainer-teacher": "Trainer, teacher in the loop, fp32",
    "trainer-cached": "Trainer, cached logits, fp32",
    "trainer-teacher-bf16": "Trainer, teacher in the loop, bf16",
    "trainer-cached-bf16": "Trainer, cached logits, bf16",
}


def run_one(name: str, threads: int) -> dict[str, float]:
    """Train one epoch as a contender, in this process; return its rates."""
    import torch
    from studied_training import prepare

    torch.set_num_threads(threads)
    given = prepare(ROWS)
    if name.startswith("edgekd"):
        return _ours(given, threads, name == "edgekd-fp32")
    return _trainer(given, "teacher" in name, name.endswith("bf16"))


def _ours(given: Any, threads: int, is_fp32: bool) -> dict[str, float]:
    import torch

    from edgekd.config import Training
    from edgekd.distill.examples import Session
    from edgekd.distill.lean import make_lean
    from edgekd.distill.learners.classify import Classify
    from edgekd.distill.training import device
    from edgekd.distill.training.examples import TokenizedExamples
    from edgekd.distill.training.plan import TrainingPlan
    from edgekd.distill.training.train import train

    if is_fp32:
        device.has_bf16 = lambda: False
    model = make_lean(given.student, torch.arange(16).reshape(2, 8))
    training = Training(epochs=1, learning_rate=4e-4, batch=BATCH)
    learner = Classify(given.outputs, alpha=ALPHA, temperature=TEMPERATURE)
    plan = TrainingPlan(training, learner, Session("intent", 0, threads), "student", "teacher")
    few = TokenizedExamples(given.rows.tokens.first(256), given.rows.targets[:256], given.rows.taught[:256])
    with tempfile.TemporaryDirectory() as kept:
        for number, rows in enumerate((few, given.rows)):  # the first call warms up
            folder = Path(kept) / str(number)
            folder.mkdir()
            began = time.perf_counter()
            train(model, rows, few, plan, folder)
            seconds = time.perf_counter() - began
    labelling = time.perf_counter()
    given.label(given.rows, 512)
    labelling = (time.perf_counter() - labelling) / 512
    a_row = seconds / len(given.rows.tokens)
    return {"rows_per_second": 1 / (a_row + labelling / EPOCHS), "without_labelling": 1 / a_row}


def _trainer(given: Any, has_teacher: bool, is_bf16: bool) -> dict[str, float]:
    import torch
    from torch.nn import functional
    from transformers import DataCollatorWithPadding, PreTrainedTokenizerFast, Trainer, TrainingArguments

    class Distiller(Trainer):
        """The loss as tutorials write it."""

        def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **_: Any) -> Any:
            labels, cached = inputs.pop("labels"), inputs.pop("teacher", None)
            theirs = {key: inputs.pop(f"teacher_{key}") for key in list(inputs) if f"teacher_{key}" in inputs}
            logits = model(**inputs).logits
            if cached is None:
                with torch.no_grad():
                    cached = given.teacher(theirs["input_ids"], theirs["attention_mask"])
            hard = functional.cross_entropy(logits, labels)
            soft = functional.kl_div(
                functional.log_softmax(logits / TEMPERATURE, dim=-1),
                functional.softmax(cached / TEMPERATURE, dim=-1),
                reduction="batchmean",
            )
            loss = (1 - ALPHA) * hard + ALPHA * TEMPERATURE**2 * soft
            return (loss, logits) if return_outputs else loss

    # The same student for all; it has a vocabulary of its own, so that the teacher reads ids of its own.
    model = given.student.model
    tokens, theirs = given.rows.tokens, given.teacher_tokens
    examples = [
        {
            "input_ids": tokens.ids[tokens.starts[i] : tokens.starts[i + 1]].tolist(),
            "teacher_input_ids": theirs.ids[theirs.starts[i] : theirs.starts[i + 1]].tolist(),
            "labels": int(given.rows.targets[i]),
            "teacher": given.rows.taught[i].astype(np.float32).tolist(),
        }
        for i in range(len(tokens))
    ]
    pad = DataCollatorWithPadding(PreTrainedTokenizerFast(tokenizer_file=given.tokenizer, pad_token="[PAD]"))

    def collate(rows: list[dict[str, Any]]) -> dict[str, Any]:
        kept = ("input_ids", "labels") if has_teacher else ("input_ids", "labels", "teacher")
        batch = dict(pad([{key: row[key] for key in kept} for row in rows]))
        if has_teacher:
            padded = pad([{"input_ids": row["teacher_input_ids"]} for row in rows])
            batch |= {f"teacher_{key}": value for key, value in padded.items()}
        return batch

    class Clock:
        began = 0.0

    from transformers import TrainerCallback

    class FromTenth(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == 10:
                Clock.began = time.perf_counter()

    with tempfile.TemporaryDirectory() as kept:
        arguments = TrainingArguments(
            kept, num_train_epochs=1, per_device_train_batch_size=BATCH, learning_rate=4e-4, warmup_ratio=0.1,
            bf16=is_bf16, use_cpu=True, save_strategy="no", report_to=[], disable_tqdm=True,
            remove_unused_columns=False, seed=0, logging_steps=20,
        )  # fmt: skip
        Distiller(
            model, arguments, train_dataset=examples, data_collator=collate, callbacks=[FromTenth()]
        ).train()
    return {"rows_per_second": (len(examples) - 10 * BATCH) / (time.perf_counter() - Clock.began)}


def measure(rounds: int, threads: int) -> dict[str, list[dict[str, float]]]:
    """Run every contender in a fresh process, in turns."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "GOMP_SPINCOUNT": "20000"}
    for number in range(rounds):
        for name in list(CONTENDERS)[:: -1 if number % 2 else 1]:
            command = [sys.executable, __file__, "--one", name, "--threads", str(threads)]
            done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
            if done.returncode:
                sys.exit(done.stderr[-3000:])
            found[name].append(json.loads(done.stdout.splitlines()[-1]))
            print(number, name, found[name][-1], file=sys.stderr, flush=True)
    return found


def write_table(found: dict[str, list[dict[str, float]]], threads: int) -> None:
    """Write the rates and their ratios to ours."""
    from edgekd.measure.environment import read_environment

    here = read_environment(threads)
    words = (__doc__ or "").partition("\n\n    ")[2].partition("\n\n")[2]
    lines = [
        "# Throughput of training", "", words,
        f"{ROWS:,} rows, {BATCH} rows a batch (ours: as many tokens), {ROUNDS} rounds, {threads} threads; "
        f"labelling over {EPOCHS} epochs. {here.cpu}, torch of "
        + ", ".join(" ".join(library) for library in here.libraries if library[0] == "torch") + ".", "",
        "| contender | examples/s (median) | ours over it | of which in its own precision |",
        "| --- | ---: | ---: | ---: |",
    ]  # fmt: skip
    rates = {name: np.array([run["rows_per_second"] for run in runs]) for name, runs in found.items()}
    for name, words in CONTENDERS.items():
        like = "edgekd" if name.endswith("bf16") else "edgekd-fp32"
        ratios = [log_t_interval(rates[ours] / rates[name], 0.95) for ours in ("edgekd", like)]
        cells = [f"{ratio.estimate:.2f} [{ratio.low:.2f}-{ratio.high:.2f}]" for ratio in ratios]
        if name.startswith("edgekd"):
            cells[1] = "-"
        lines.append(f"| {words} | {np.median(rates[name]):.0f} | {' | '.join(cells)} |")
    lines += ["", "```sh", "python bench/training.py", "```"]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--one", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(run_one(arguments.one, arguments.threads)))
    else:
        write_table(measure(arguments.rounds, arguments.threads), arguments.threads)
