"""Whether a student of a width of its own gains from its teacher's inside: validation rows of CLINC150.

    python bench/features.py                  # about half an hour (an estimate); goes on where it was stopped
    python bench/features.py --seed 0         # another process may do --seed 1 meanwhile

`narrow-4l` (4 layers of width 192, 4 heads; the teacher has 6 of 384, 12 heads) cannot be cut from its
teacher. Each arm has as many epochs in all; features are matched in the first of them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
from quality import open_study
from studied import HERE

from edgekd.distill.diagnosis.history import make_history
from edgekd.distill.logs.events import read_events
from edgekd.pipeline.labelling import label_stage
from edgekd.pipeline.learning import distil_step, load_stage, teacher_step

TABLE = HERE.parent / "docs" / "results" / "features.md"
EPOCHS, SEEDS = 6, (0, 1)
COMMON = (
    "data.unlabelled=[]",
    "distillation.augmentations=1",
    "threads=1",
    f"students=[{{model: narrow-4l, training: {{epochs: {EPOCHS}, learning_rate: 1.0e-3, batch: 64}}}}]",
)
ARMS = {
    "labels and soft labels alone": (),
    "hidden states and relations for 2 epochs first": ("distillation.features={epochs: 2}",),
    "relations alone for 2 epochs first": ("distillation.features={epochs: 2, hidden: 0}",),
    "hidden states alone for 2 epochs first": ("distillation.features={epochs: 2, attention: 0}",),
}
_HEAD = """\
# Feature matching for a student that cannot be cut

{doc}
Teacher match, accuracy and loss are of validation rows at the best epoch: mean of {seeds} seeds, and range.

| what it learns from | teacher match | accuracy | validation loss |
| --- | --- | --- | --- |
"""


def measure(seeds: Sequence[int]) -> None:
    """Train every arm with every seed; write the table if these are all."""
    base = open_study("clinc150")
    teacher = teacher_step(base)
    lines = []
    for name, settings in ARMS.items():
        found = []
        for seed in seeds:
            context = open_study("clinc150", seed, (*COMMON, *settings))
            data = load_stage(context)
            labels = label_stage(context, data, teacher)
            student = distil_step(context, teacher, labels.step, context.students[0])
            stage = context.engine.make(student)
            history = make_history(read_events(stage.path / "logs" / "train.jsonl"))
            assert history is not None
            best = history.best
            found.append([best.teacher_preference_match, best.val_accuracy, best.val_loss])
            print(name, seed, found[-1], flush=True)
        match, accuracy, loss = np.array(found).T
        cells = [f"{part.mean():.2%} ({part.min():.2%} to {part.max():.2%})" for part in (match, accuracy)]
        lines.append(f"| {name} | {' | '.join(cells)} | {loss.mean():.3f} |")
    if tuple(seeds) != SEEDS:
        print(f"seeds {list(seeds)} of {list(SEEDS)}: no table; run it without --seed")
        return
    doc = (__doc__ or "").partition("meanwhile\n\n")[2].strip()
    head = _HEAD.format(doc=doc, seeds=len(seeds))
    TABLE.write_text(head + "\n".join(lines) + "\n\n```sh\npython bench/features.py\n```\n", encoding="utf-8")


def main() -> None:
    """Measure both seeds, or train one."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, action="append")
    measure(parser.parse_args().seed or SEEDS)


if __name__ == "__main__":
    main()
