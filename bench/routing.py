"""Routing on real out-of-scope traffic: chosen on CLINC150's validation rows, judged on its test rows.

    edgekd run bench/studies/clinc150.yaml
    python bench/routing.py --out docs/results/routing.md

Compared, on the same calibrated scores: the policy; the best plain threshold on the top probability,
found by the same search on the same rows for the same quality; and the fixed rule of 0.80.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from studied import find_artifact

from edgekd.config import load_project
from edgekd.config.routing import Routing
from edgekd.data.load import load_data
from edgekd.data.slices import slice_masks
from edgekd.data.taskdata import TaskData
from edgekd.evaluate.classify.calibration import calibrated_error, equal_mass_calibration_error
from edgekd.evaluate.classify.route_rows import TuningRows
from edgekd.evaluate.classify.route_tuning import tune_policy
from edgekd.evaluate.classify.routing import judge_routing, route_rows
from edgekd.evaluate.predictions import Predictions
from edgekd.evaluate.scorer import JudgedRows
from edgekd.serving import load
from edgekd.stats.interval import Interval

STUDY = Path(__file__).parent / "studies" / "clinc150.yaml"
VARIANTS = ("static-256.numpy.int8-tables", "cut-2l.onnxruntime.int8-dynamic")
QUALITIES = (0.25, 0.5, 1.0)


def teacher_logits(rows: TaskData) -> Any:
    """Answer rows with the study's teacher in PyTorch."""
    import torch

    from edgekd.distill.lean import make_lean
    from edgekd.distill.reference import reference_outputs
    from edgekd.distill.teacher import load_teacher, open_teacher
    from edgekd.distill.training.tokens import open_tokenizer, tokenize

    for folder in sorted((STUDY.parent / ".edgekd" / "store" / "teacher").iterdir()):
        if not (folder / "teacher.json").is_file():
            continue
        teacher = open_teacher(folder, folder.name)
        if teacher.outputs == rows.outputs:
            module = make_lean(load_teacher(teacher), torch.arange(1, 17).reshape(2, 8))
            tokens = tokenize(open_tokenizer(folder / "tokenizer.json", teacher.max_tokens), rows.texts)
            return reference_outputs(module, tokens, threads=2)
    raise SystemExit(f"no teacher of {STUDY}: edgekd run {STUDY} first")


def main() -> None:
    """Tune, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    project = load_project(STUDY)
    data = load_data(project.data, STUDY.parent, project.seed)
    validation, test = data.split("validation"), data.split("test")
    of_validation, of_test = (Predictions("t", teacher_logits(rows)).labels for rows in (validation, test))
    masks = slice_masks(test, project.slices)
    everything = project.slices[0].model_copy(update={"name": "all", "where": "true"})
    masks["all"] = np.ones(len(test), np.bool_)
    lines = [
        "# Routing on out-of-scope traffic\n",
        "`python bench/routing.py`: CLINC150, 5,500 test rows, 1,000 of them out of scope (3 % of the "
        "validation rows are). Policies are found on validation rows for a quality (largest drop of student "
        "and teacher together against the teacher alone, by its 95 % bound, in points) and read here on the "
        "test rows. The plain threshold is found by the same search; it may not refuse.\n",
    ]
    for variant in VARIANTS:
        model = load(find_artifact(variant))
        chosen, table = (
            Predictions("s", model.outputs(rows.texts)).probabilities(model.calibration.temperature)
            for rows in (validation, test)
        )

        def judge(policy: dict[str, Any], table: Any = table) -> tuple[Interval, Interval, Interval]:
            routed = route_rows(policy, test.outputs, test.texts, table, of_test, masks)
            found = judge_routing(
                "s", policy, routed, of_test, JudgedRows(test.classes, test.outputs, [everything], masks)
            )
            every = found.slice_named("all")
            assert every.quality.value and every.fallback and every.refused
            return every.quality.value, every.fallback, every.refused

        inside = masks["overall"]
        error = equal_mass_calibration_error(table[inside], test.classes[inside])
        bias = calibrated_error(table[inside])
        alone = (of_test == test.classes).mean()
        lines += [
            f"## {variant}\n",
            f"The teacher alone: {100 * alone:.2f} %. In-scope ECE (equal mass) {error:.4f}; a perfectly "
            f"calibrated model would show {bias:.4f} on so many rows.\n",
            "| quality | rule | accuracy of the system | to the teacher | refused | thresholds |",
            "| ---: | --- | ---: | ---: | ---: | --- |",
        ]
        lines.append(_row("", "fixed 0.80", judge({"max_prob": 0.8}), {"max_prob": 0.8}))
        for quality in QUALITIES:
            for name, refuse in (("plain threshold", None), ("policy", "oos")):
                routing = Routing(quality=quality, refuse_as=refuse, teacher_per_1k=3.0)
                rows = TuningRows(chosen, of_validation, validation.classes, data.outputs)
                policy = tune_policy(rows, routing, [], {}, plain=refuse is None)
                lines.append(_row(f"{quality:g}", name, judge(policy), policy))
        lines.append("")
    text = "\n".join(lines)
    print(text)
    if asked.out:
        asked.out.write_text(text, encoding="utf-8")


def _row(quality: str, name: str, found: tuple[Interval, Interval, Interval], policy: dict[str, Any]) -> str:
    accuracy, calls, refused = found
    shown = ", ".join(
        f"{key} {value:g}" for key, value in policy.items() if isinstance(value, float) and value
    )
    return (
        f"| {quality} | {name} | {100 * accuracy.estimate:.2f} % [{100 * accuracy.low:.2f}–"
        f"{100 * accuracy.high:.2f}] | {100 * calls.estimate:.2f} % [{100 * calls.low:.2f}–"
        f"{100 * calls.high:.2f}] | {100 * refused.estimate:.2f} % | {shown} |"
    )


if __name__ == "__main__":
    main()
