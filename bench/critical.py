"""Critical classes of the demo: what teacher, student and the served system find, and what they raise.

    edgekd run bench/studies/mangaassist.yaml
    python bench/critical.py --out docs/results/critical.md
    edgekd run bench/studies/mangaassist.yaml --set data.options.seed=1 --set name=mangaassist-seed-1
    python bench/critical.py --seed 1 --out docs/results/critical-seed-1.md

Another seed has a name of its own: what was trained on the rows of one must not be the incumbent of another.
Where a target promotes nothing, the variant that comes nearest is shown, and said to be so. Exits with 1
where one misses a bar or is not promoted. The eighty messages by hand (bench/critical/messages.csv) are read
here and nowhere else.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgekd.cli.verbs import open_context
from edgekd.compile import Artifact
from edgekd.data.slices import select_rows, select_traffic, slice_masks
from edgekd.data.taskdata import TaskData
from edgekd.evaluate.arrays import Flags, Labels
from edgekd.evaluate.classify.routing import route_rows
from edgekd.evaluate.classify.slices import traffic_weights
from edgekd.evaluate.predictions import Predictions
from edgekd.gate.next_step import find_next_step
from edgekd.pipeline.answering import artifact_answers
from edgekd.pipeline.biasing import teacher_answers
from edgekd.pipeline.context import Context
from edgekd.pipeline.run import Results, run
from edgekd.serving import load
from edgekd.serving.calibrate import read_calibration, spread_bias
from edgekd.stats.interval import Interval
from edgekd.stats.tally import Tally

STUDY = Path(__file__).parent / "studies" / "mangaassist.yaml"
MESSAGES = Path(__file__).parent / "critical" / "messages.csv"
FAMILIES = {
    "safety escalation": (("safety_self_harm", "safety_abuse"), 95.0),
    "payment dispute": (("dispute_charge", "dispute_unauthorised"), 94.0),
}
CRITICAL = tuple(name for classes, _ in FAMILIES.values() for name in classes)
CLASS_BAR, ALARM_BAR, LANGUAGE_BAR, WORDING_BAR = 90.0, 1.0, 88.0, 80.0
LANGUAGES = ("en", "es", "de", "fr", "pt", "ja")
READ = LANGUAGES[:-1]
"""Languages with a bar; English weights read Japanese badly, and it is routed."""
FOUND_BAR, FALSE_BAR = 9, 3  # of 10 messages of a class, and of 40 that only sound critical


@dataclass(frozen=True)
class System:
    """Somebody's answers to the test rows."""

    name: str
    labels: Labels
    is_served: bool = False


@dataclass(frozen=True)
class Judge:
    """The test rows, and what is counted on them."""

    test: TaskData
    traffic: Flags

    def recall(self, system: System, classes: Sequence[str], among: Flags | None = None) -> Interval | None:
        """Return the share of the rows of these classes that are called one of them, in percent."""
        places = [self.test.outputs.index(name) for name in classes]
        rows = np.isin(self.test.classes, places)
        rows = rows if among is None else rows & among
        return _percent(Tally.of(np.isin(system.labels[rows], places)))

    def false_alarms(self, system: System) -> Interval | None:
        """Return the share of non-critical traffic that is called critical, in percent."""
        places = [self.test.outputs.index(name) for name in CRITICAL]
        rows = self.traffic & ~np.isin(self.test.classes, places)
        return _percent(Tally.of(np.isin(system.labels[rows], places)))

    def precision(self, system: System, name: str) -> Interval | None:
        """Return the share of the rows called a class that are of it, as in traffic, in percent."""
        place = self.test.outputs.index(name)
        called = system.labels == place
        weights = traffic_weights(self.test.classes, self.traffic)
        return _percent(Tally.of(self.test.classes[called] == place, weights[called]))

    def among(self, where: str) -> Flags:
        """Return the rows that a predicate selects."""
        return select_rows(self.test, where, "bench/critical.py")


def _percent(tally: Tally) -> Interval | None:
    if not tally.right + tally.wrong > 0:
        return None
    found = tally.at(0.95)
    return Interval(100 * found.estimate, 100 * found.low, 100 * found.high, 0.9)


def main() -> None:
    """Judge what is promoted, or nearest to it, print, and exit with 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--study", type=Path, default=STUDY)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    seed = asked.seed
    settings = (f"data.options.seed={seed}", f"name=mangaassist-seed-{seed}") if seed else ()
    context = open_context(asked.study, settings)
    results = run(context, "gate", (), "")
    test = results.data.split("test")
    traffic = select_traffic(test, context.project.data.sample)
    assert traffic is not None
    judge = Judge(test, traffic)
    shown = _shown(results)
    taught = teacher_answers(context, results.data, results.teacher_step, "test")
    teachers = [
        System("teacher", replace(taught, bias=None).labels),
        System("teacher with its bias", taught.labels),
    ]
    lines = [f"# Critical classes of the demo, seed {seed} of the data", "", _intro(seed), ""]
    missed: list[str] = []
    for (artifact, is_promoted), targets in shown:
        systems = teachers + _systems(context, test, artifact, taught, results)
        title = f"{artifact.student}.{artifact.runtime}.{artifact.recipe} ({', '.join(targets)})"
        if not is_promoted:
            title += ", not promoted"
            missed.append(f"{title}: it only comes nearest")
        lines += [f"## {title}", "", *_tables(judge, systems), ""]
        missed += [f"{title}: {words}" for words in _misses(judge, systems[-1])]
        said, problems = _messages(context, results, artifact)
        lines += ["### Eighty messages by hand", "", *said, ""]
        missed += [f"{title}: {words}" for words in problems]
    lines += ["## Bars", "", *([f"- MISSED {words}" for words in missed] or ["Every bar is met."])]
    text = "\n".join(lines) + "\n"
    print(text)
    if asked.out:
        asked.out.write_text(text, encoding="utf-8")
    sys.exit(1 if missed else 0)


def _intro(seed: int) -> str:
    again = f" --seed {seed}" if seed else ""
    return (
        f"Made by `python bench/critical.py{again}`. Figures are in percent; brackets hold one-sided 95 % "
        "bounds. Precision counts the extra rows of critical classes by their share of traffic; false "
        "escalations are counted on traffic rows alone."
    )


def _shown(results: Results) -> list[tuple[tuple[Artifact, bool], list[str]]]:
    """List what is promoted, or else nearest to it, and whether it is promoted; with its targets."""
    found: dict[str, tuple[Artifact, bool]] = {}
    targets: dict[str, list[str]] = {}
    for name, judged in results.judged.items():
        step = find_next_step(judged.verdict, judged.evidence, judged.order)
        wanted = step.variant if step else None
        for variant in judged.variants:
            artifact, digest = variant.artifact, judged.verdict.promoted_digest
            if artifact is None or (artifact.digest != digest and variant.name != wanted):
                continue
            key = f"{artifact.digest} {artifact.digest == digest}"
            found[key] = artifact, artifact.digest == digest
            targets.setdefault(key, []).append(name)
    return [(found[key], names) for key, names in targets.items()]


def _systems(
    context: Context, test: TaskData, artifact: Artifact, taught: Predictions, results: Results
) -> list[System]:
    answers = artifact_answers(context, test, artifact)
    calibration = read_calibration(artifact.path / "calibration.json")
    found = [
        System("student in fp32", results.references[artifact.student].labels),
        System("compiled, no bias", replace(answers, bias=None).labels),
        System("compiled, with its bias", answers.labels),
    ]
    served = answers.labels
    if calibration.routing:
        masks = slice_masks(test, context.project.slices)
        table = answers.probabilities(calibration.temperature)
        bias = spread_bias(calibration.bias, test.outputs)
        served = route_rows(
            calibration.routing, test.outputs, test.texts, table, taught.labels, masks, bias
        ).labels
    return [*found, System("served: rules and routing", served, is_served=True)]


def _tables(judge: Judge, systems: Sequence[System]) -> list[str]:
    heads = [system.name for system in systems]
    rows: list[tuple[str, list[Interval | None]]] = []
    for family, (classes, _) in FAMILIES.items():
        rows.append((f"{family}: recall", [judge.recall(s, classes) for s in systems]))
        rows += [(f"{name}: recall", [judge.recall(s, (name,)) for s in systems]) for name in classes]
        rows += [(f"{name}: precision", [judge.precision(s, name) for s in systems]) for name in classes]
        new = judge.among("new_wording")
        rows.append((f"{family}: recall, new wordings", [judge.recall(s, classes, new) for s in systems]))
        for language in LANGUAGES:
            mask = judge.among(f"language = '{language}'")
            rows.append((f"{family}: recall, {language}", [judge.recall(s, classes, mask) for s in systems]))
    rows.append(("false escalations", [judge.false_alarms(s) for s in systems]))
    lines = ["| | " + " | ".join(heads) + " |", "| --- |" + " ---: |" * len(heads)]
    return [*lines, *(f"| {name} | {' | '.join(map(_show, values))} |" for name, values in rows)]


def _show(value: Interval | None) -> str:
    return "–" if value is None else f"{value.estimate:.1f} [{value.low:.1f}–{value.high:.1f}]"


def _misses(judge: Judge, served: System) -> list[str]:
    """List the bars that the served system misses on the test rows."""
    missed = []

    def need(what: str, value: Interval | None, bar: float) -> None:
        if value is None or value.estimate < bar:
            missed.append(f"{what} {_show(value)}, bar {bar:g}")

    for family, (classes, bar) in FAMILIES.items():
        need(f"{family} recall", judge.recall(served, classes), bar)
        for name in classes:
            need(f"{name} recall", judge.recall(served, (name,)), CLASS_BAR)
        for language in READ:
            mask = judge.among(f"language = '{language}'")
            need(f"{family} recall in {language}", judge.recall(served, classes, mask), LANGUAGE_BAR)
        new = judge.recall(served, classes, judge.among("new_wording"))
        need(f"{family} recall, new wordings", new, WORDING_BAR)
    alarms = judge.false_alarms(served)
    if alarms is None or alarms.high > ALARM_BAR:
        missed.append(f"false escalations {_show(alarms)}, bar {ALARM_BAR:g} by the bound")
    return missed


def _messages(context: Context, results: Results, artifact: Artifact) -> tuple[list[str], list[str]]:
    """Have a variant answer the messages by hand, with the teacher where it asks for it."""
    with MESSAGES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    model, teacher = load(artifact.path), _Teacher(context, results)
    lines = ["| Message | Language | Is | Answered | By |", "| --- | --- | --- | --- | --- |"]
    found: Counter[str] = Counter()
    false = 0
    for row in rows:
        text, by = row["text"], "student"
        if model.routes:
            route = model.route(text, [f"language-{row['language']}"])
            label, by = route.label, route.reason
            if route.action == "teacher":
                label, by = teacher(text), f"teacher ({route.reason})"
        else:
            label = model(text).label
        is_critical = label in CRITICAL
        right = label == row["intent"] if row["intent"] != "none" else not is_critical
        found[row["intent"]] += right and row["intent"] != "none"
        false += row["intent"] == "none" and is_critical
        mark = "" if right else " **wrong**"
        cells = (text.replace("|", "/"), row["language"], row["intent"], label + mark, by)
        lines.append(f"| {' | '.join(cells)} |")
    counts = ", ".join(f"{name} {found[name]} of 10" for name in CRITICAL)
    summary = f"Found: {counts}. False alarms: {false} of 40."
    problems = [
        f"{name}: {found[name]} of 10 messages by hand" for name in CRITICAL if found[name] < FOUND_BAR
    ]
    problems += [f"{false} false alarms of 40 messages by hand"] if false > FALSE_BAR else []
    return [summary, "", *lines], problems


class _Teacher:
    """The teacher as it would be served, one text at a time; opened at the first text."""

    def __init__(self, context: Context, results: Results) -> None:
        self._context, self._results = context, results
        self._ready = False

    def __call__(self, text: str) -> str:
        import torch

        from edgekd.distill.teacher import load_whole, open_teacher
        from edgekd.distill.training.tokens import open_tokenizer

        if not self._ready:
            stage = self._results.teacher
            teacher = open_teacher(stage.path, stage.digest)
            self._module, self._labels = load_whole(teacher), teacher.outputs
            self._tokenizer = open_tokenizer(stage.path / "tokenizer.json", teacher.max_tokens)
            step, data = self._results.teacher_step, self._results.data
            answers = teacher_answers(self._context, data, step, "validation")
            self._bias = 0.0 if answers.bias is None else answers.bias
            self._ready = True
        with torch.inference_mode():
            logits = self._module(torch.tensor([self._tokenizer.encode(text).ids or [0]])).numpy()[0]
        return str(self._labels[int((logits + self._bias).argmax())])


if __name__ == "__main__":
    main()
