"""Rounding that spares every slice, against NNCF's accuracy control, on languages that are unevenly common.

    edgekd run bench/studies/mangaassist.yaml    # trains the student
    python bench/worst_slice.py                  # five minutes

The 2-layer student in OpenVINO. NNCF's accuracy control gives back operators until the drop of all validation
rows together is at most 1 point; it is called as its documentation has it, and told the kind of model. Ours
is the recipe `int8-nncf` with `restore: true`: operators go back until the upper 95 % bound of every
language's drop is within 1 point. All choose on the same 20,000 validation rows; 40,000 test rows judge. Rows
are MangaAssist's of another seed: 72 % English, 3 % Japanese.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import time
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import numpy.typing as npt
from quality import open_study
from studied import HERE

from edgekd.compile.openvino_ir import read_graph
from edgekd.compile.restore import restore
from edgekd.compile.sensitivity import list_operators, measure_shifts
from edgekd.compile.yardstick import open_yardstick
from edgekd.config import Slice
from edgekd.data.mangaassist import generate
from edgekd.engines.step import Folder
from edgekd.evaluate.classify.slices import ClassRows, select_rows
from edgekd.evaluate.drop import paired_drop
from edgekd.export import Graph
from edgekd.pipeline.exporting import export_step, open_exported
from edgekd.pipeline.labelling import label_stage
from edgekd.pipeline.learning import distil_step, load_stage, teacher_step
from edgekd.serving.tokenize import open_tokenizer

TABLE = HERE.parent / "docs" / "results" / "worst_slice.md"
LANGUAGES = ("en", "es", "de", "fr", "pt", "ja")
MARGIN = 1.0  # points
CALIBRATION = 300
_BATCH = 32

Labels = npt.NDArray[np.int64]


class Rows:
    """Texts of one split: ids, truth, language; and how often, and with how many rows, a model was asked."""

    def __init__(self, table: list[dict[str, Any]], split: str, graph: Graph) -> None:
        rows = [row for row in table if row["split"] == split]
        tokenize = open_tokenizer(graph.tokenizer, graph.max_tokens)
        self.ids = [tokenize(row["text"]) or [0] for row in rows]
        self.truth = np.array([graph.head.labels.index(row["intent"]) for row in rows])
        self.languages = np.array([row["language"] for row in rows])
        self.calls = self.asked = 0

    def answer(self, model: Any, places: Collection[int] | None = None) -> npt.NDArray[np.float32]:
        """Return a compiled model's logits [row, label], in batches of equal length."""
        chosen = np.arange(len(self.ids)) if places is None else np.array(sorted(places))
        self.calls, self.asked = self.calls + 1, self.asked + len(chosen)
        lengths = np.array([len(self.ids[place]) for place in chosen])
        logits: npt.NDArray[np.float32] | None = None
        for length in np.unique(lengths):
            same = np.flatnonzero(lengths == length)
            for start in range(0, len(same), _BATCH):
                some = same[start : start + _BATCH]
                found = model([np.array([self.ids[place] for place in chosen[some]])])[0]
                logits = np.empty((len(chosen), found.shape[1]), np.float32) if logits is None else logits
                logits[some] = found
        assert logits is not None
        return logits

    def slices(self, labels: tuple[str, ...]) -> tuple[ClassRows, ...]:
        """Return all rows, and each language's, with the margin."""
        masks = {"overall": np.ones(len(self.ids), bool)}
        masks |= {language: self.languages == language for language in LANGUAGES}
        wanted = [Slice(name=name, tier="prove", margin=MARGIN) for name in masks]
        return select_rows(wanted, masks, self.truth, labels)


def main() -> None:
    """Search both ways, judge on test rows, and write the table."""
    graph = _find_graph()
    table = generate(seed=7, train=200, unlabelled=0, validation=20_000, test=40_000, critical=2).to_pylist()
    calibration, validation, test = (
        Rows(table, split, graph) for split in ("calibration", "validation", "test")
    )
    models = {"fp32": _compile(read_graph(graph))}
    exact = validation.answer(models["fp32"]).argmax(1)
    searched: dict[str, tuple[int, int, float]] = {}
    for name, search in (
        ("NNCF's control", lambda: _nncf(graph, calibration, validation)),
        ("NNCF's, told", lambda: _nncf(graph, calibration, validation, model_type=_transformer())),
        ("ours", lambda: _ours(graph, calibration, validation, exact)),
    ):
        validation.calls = validation.asked = 0
        start = time.perf_counter()
        models[name] = _compile(search())
        searched[name] = validation.calls, validation.asked, time.perf_counter() - start
    _write(graph, models, searched, test)


def _find_graph() -> Graph:
    context = open_study("mangaassist")
    data = load_stage(context)
    teacher = teacher_step(context)
    labels = label_stage(context, data, teacher)
    (model,) = (model for model in context.students if model.name == "cut-2l")
    student = distil_step(context, teacher, labels.step, model)
    stage, exported = context.engine.run([student, export_step(context, student, model.name)])
    return open_exported(exported.path, Folder(stage.path, stage.digest), model.name)


def _compile(model: Any) -> Any:
    import openvino as ov

    return ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


def _dataset(rows: Rows) -> Any:
    import nncf

    return nncf.Dataset([np.array([ids]) for ids in rows.ids[:CALIBRATION]])


def _transformer() -> Any:
    import nncf

    return nncf.ModelType.TRANSFORMER


def _quantize(graph: Graph, calibration: Rows, kept: Collection[str] = ()) -> Any:
    """Quantize all but the operators that are kept, as the recipe `int8-nncf` does."""
    import nncf

    names = [f"{name}/WithoutBiases" if name.startswith("Gemm") else name for name in sorted(kept)]
    with _quiet():
        return nncf.quantize(
            read_graph(graph),
            _dataset(calibration),
            model_type=_transformer(),
            subset_size=CALIBRATION,
            ignored_scope=nncf.IgnoredScope(names=names, validate=False) if names else None,
        )


def _nncf(graph: Graph, calibration: Rows, validation: Rows, **settings: Any) -> Any:
    """Search by accuracy control; it asks for rows by their number."""
    import nncf

    def validate(model: Any, places: Any) -> tuple[float, list[float]]:
        chosen = [int(place) for place in places]
        hits = validation.answer(model, chosen).argmax(1) == validation.truth[sorted(chosen)]
        back = dict(zip(sorted(chosen), hits.astype(float).tolist(), strict=True))
        return float(hits.mean()), [back[place] for place in chosen]

    with _quiet():
        return nncf.quantize_with_accuracy_control(
            read_graph(graph),
            _dataset(calibration),
            nncf.Dataset(list(range(len(validation.ids)))),
            validate,
            max_drop=MARGIN / 100,
            subset_size=CALIBRATION,
            **settings,
        )


def _ours(graph: Graph, calibration: Rows, validation: Rows, exact: Labels) -> Any:
    """Search by each operator's shift of every row's margin; its pass counts as an evaluation."""
    import onnx
    import torch

    from edgekd.distill.lean import make_lean

    assert graph.load is not None
    operators = list_operators(onnx.load(graph.path))
    module = make_lean(graph.load().eval(), torch.arange(1, 17).reshape(2, 8), graph.max_tokens)
    yardstick = open_yardstick(graph.head, validation.truth, exact, exact)
    shifts = measure_shifts(module, validation.ids, yardstick, operators)
    validation.calls, validation.asked = validation.calls + 1, validation.asked + len(validation.ids)
    last: list[Any] = []

    def answer(kept: frozenset[str]) -> npt.NDArray[np.float32]:
        last[:] = [_quantize(graph, calibration, kept)]
        return validation.answer(_compile(last[0]))

    slices = validation.slices(graph.head.labels)
    steps = restore(operators, shifts, slices, yardstick, answer)
    for step in steps:
        print(json.dumps(step.to_json()), flush=True)
    return last[0]


def _time(models: dict[str, Any]) -> dict[str, float]:
    """Return each model's median time over the first one's, in turns, at 12 tokens."""
    given = [np.arange(2000, 2012)[None]]
    found: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(400):
        for name, model in models.items():
            model(given)
            start = time.perf_counter()
            model(given)
            found[name].append(time.perf_counter() - start)
    first = np.median(next(iter(found.values())))
    return {name: float(np.median(times) / first) for name, times in found.items()}


def _write(
    graph: Graph, models: dict[str, Any], searched: dict[str, tuple[int, int, float]], test: Rows
) -> None:
    slices = test.slices(graph.head.labels)
    times = _time(models)
    answers = {name: test.answer(model).argmax(1) for name, model in models.items()}
    lines = ["# Rounding that spares every slice", "", *(__doc__ or "").splitlines()[5:], ""]
    lines += [
        "Drops are against the student in fp32, on test rows, in points, with the upper 95 % bound; "
        f"bold: the drop itself is over {MARGIN:g} point.",
        "",
        f"| slice | rows | {' | '.join(name for name in models if name != 'fp32')} |",
        f"| --- | --- |{' --- |' * (len(models) - 1)}",
    ]
    exact = answers.pop("fp32")
    for rows in slices:
        cells = [_drop(rows, exact, found, test.truth) for found in answers.values()]
        lines.append(f"| {rows.slice.name} | {int(rows.rows.sum()):,} | {' | '.join(cells)} |")
    rounds: Callable[[str], tuple[int, int, float]] = lambda name: searched.get(name, (0, 0, 0.0))  # noqa: E731
    lines.append(f"| evaluations of a model | | {' | '.join(str(rounds(n)[0] or '-') for n in answers)} |")
    lines.append(f"| texts answered | | {' | '.join(f'{rounds(n)[1]:,}' for n in answers)} |")
    lines.append(f"| seconds | | {' | '.join(f'{rounds(n)[2]:.0f}' for n in answers)} |")
    lines.append(f"| time over fp32's | | {' | '.join(f'{times[n]:.2f}' for n in answers)} |")
    lines += ["", "```sh", "python bench/worst_slice.py", "```"]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _drop(rows: ClassRows, exact: Labels, found: Labels, truth: Labels) -> str:
    drop = paired_drop("fp32", rows.values(exact, truth), rows.values(found, truth))
    shown = f"{100 * drop.estimate:+.2f} (≤ {100 * drop.high:+.2f})"
    return f"**{shown}**" if 100 * drop.estimate > MARGIN else shown


@contextlib.contextmanager
def _quiet() -> Any:
    """Keep NNCF's bars and notes off the terminal."""
    logging.getLogger("nncf").setLevel(logging.ERROR)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


if __name__ == "__main__":
    main()
