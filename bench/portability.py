"""Answers on other instruction sets: a model built to saturate, shown and repaired; then what was promoted.

    python -m edgekd.emulate                  # once
    edgekd run bench/studies/clinc150.yaml    # and banking77.yaml
    python bench/portability.py               # five minutes

The model built to saturate is the 2-layer student through ONNX Runtime's own `quantize_dynamic` with one
scale a column and all of int8's range. Times are native, with VNNI: there the repair can only cost. What was
promoted is read from the runs' evidence: the gate asked, on test rows.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from planted import describe_anew
from studied import DIGEST, HERE, find_artifact, find_export, validation_texts

from edgekd.compile import Artifact, open_artifact
from edgekd.compile.saturation import Saturation, find_saturation, repair_saturation
from edgekd.emulate import emulated_outputs, find_machine
from edgekd.emulate.machine import Name
from edgekd.evaluate.agreement import Agreement, compare_answers
from edgekd.measure.bench_file import load_bench
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.session import measure_subjects
from edgekd.measure.subject import Subject
from edgekd.serving import load
from edgekd.serving.tokenize import open_tokenizer
from edgekd.stats.interval import Interval

TABLE = HERE.parent / "docs" / "results" / "portability.md"
TEXTS = 1000
PLAN = MeasurePlan(rounds=10, seconds=0.6, threads=1)
PROMOTED = [
    (study, target)
    for study in ("clinc150", "banking77")
    for target in ("lambda-x86", "lambda-arm", "mobile-lowmem", "intel-openvino")
]


def main() -> None:
    """Measure and write the table."""
    with tempfile.TemporaryDirectory() as temporary:
        lines = [*_head(), *_saturating(Path(temporary)), *_promoted()]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _head() -> list[str]:
    return [
        "# Answers on other instruction sets",
        "",
        f"Answers here (AVX-512 VNNI, native) against QEMU's Haswell (AVX2) and arm64, on {TEXTS:,} texts.",
        "Agreement has its lower 95 % bound (Clopper and Pearson) in brackets.",
        "",
    ]


def _saturating(folder: Path) -> list[str]:
    """Build the saturating model, predict, emulate, repair, emulate again, and time both."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    sound = open_artifact(find_artifact("cut-2l.onnxruntime.int8-dynamic"))
    exact = find_artifact("cut-2l.onnxruntime.fp32")
    texts = validation_texts()[:TEXTS]
    tokenize = open_tokenizer(sound.path / "tokenizer.json", sound.manifest["max_tokens"])
    rows = [tokenize(text) for text in texts[:300]]
    plain = folder / "plain.onnx"
    quantize_dynamic(find_export(exact), plain, per_channel=True, weight_type=QuantType.QInt8)
    broken = _with_model(sound, plain, folder / "broken")
    found = find_saturation(onnx.load(plain), rows)
    model = repair_saturation(onnx.load(plain), [one.name for one in found if one.cut])
    (folder / "repaired.onnx").write_bytes(model.SerializeToString())
    repaired = _with_model(sound, folder / "repaired.onnx", folder / "repaired")
    again = find_saturation(model, rows)
    ratio = _time(broken, repaired, texts, folder / "bench")
    machine = find_machine("avx2")
    reference = load(exact).outputs(texts)
    lines = ["## A model built to saturate", "", "| | as built | repaired |", "| --- | --- | --- |"]
    for what, pair in (
        ("products that can saturate", [_count(one, "columns") for one in (found, again)]),
        ("products predicted to, on 300 texts", [_count(one, "cut") for one in (found, again)]),
    ):
        lines.append(f"| {what} | {pair[0]} | {pair[1]} |")
    both = [_agree(artifact, machine.name, texts) for artifact in (broken, repaired)]
    lines.append(f"| the same answers on AVX2 | {_show(both[0])} | {_show(both[1])} |")
    kept = [
        f"{float((load(one.path).outputs(texts).argmax(1) == reference.argmax(1)).mean()):.2%}"
        for one in (broken, repaired)
    ]
    lines.append(f"| native answers as in fp32 | {kept[0]} | {kept[1]} |")
    lines.append(
        f"| p50, native, over as built | 1 | {ratio.estimate:.3f} [{ratio.low:.3f}-{ratio.high:.3f}] |"
    )
    cut = ", ".join(f"{one.name} ({one.cut:,} of {one.sums:,} sums)" for one in found if one.cut)
    return [*lines, "", f"Predicted without an emulator: {cut or 'none'}.", ""]


def _with_model(sound: Artifact, model: Path, folder: Path) -> Artifact:
    """Copy an artifact with another model in it."""
    shutil.copytree(sound.path, folder)
    shutil.copyfile(model, folder / "model.onnx")
    return describe_anew(folder)


def _count(found: list[Saturation], what: str) -> str:
    return f"{sum(getattr(one, what) > 0 for one in found)} of {len(found)}"


def _time(one: Artifact, other: Artifact, texts: list[str], folder: Path) -> Interval:
    of = "edgekd.serving.subject:open_subject"
    subjects = [Subject("built", of, (str(one.path), "1")), Subject("repaired", of, (str(other.path), "1"))]
    measure_subjects(subjects, texts[:200], folder, PLAN, lambda share, words: print(words, flush=True))
    ratio = load_bench(folder).ratio("repaired", "built", 0.5)
    assert ratio is not None
    return ratio


def _promoted() -> list[str]:
    lines = [
        "## What was promoted",
        "",
        "| study, target | variant | asked on | the same answers |",
        "| --- | --- | --- | --- |",
    ]
    flips: list[str] = []
    for study, target in PROMOTED:
        run = _newest_run(study, target)
        variant = json.loads((run / "verdicts" / f"{target}.json").read_text("utf-8"))["promoted"]
        if variant is None:
            lines.append(f"| {study}, {target} | nothing was promoted | - | - |")
            continue
        evidence = json.loads((run / "evidence" / target / f"{variant}.json").read_text("utf-8"))
        if not evidence["ported"]:
            lines.append(f"| {study}, {target} | {variant} | - | it may only meet what is here: VNNI |")
        for ported in evidence["ported"]:
            if proof := ported["proof"]:
                shown = f"proven: {proof['products']} products, no sum above {proof['largest']:,}"
                lines.append(f"| {study}, {target} | {variant} | {ported['isa']} | {shown} |")
                continue
            if ported["agreement"] is None:
                lines.append(f"| {study}, {target} | {variant} | {ported['isa']} | {ported['problem']} |")
                continue
            found = Agreement.from_json(ported["agreement"])
            lines.append(f"| {study}, {target} | {variant} | {ported['isa']} | {_show(found)} |")
            flips += [
                f"- {variant}, {ported['isa']}: {f.here}, there {f.there}, by {f.margin:.3f}"
                for f in found.flips
            ]
    lines += ["", "Flips, by how far the answer here had led (logits):", "", *(flips or ["- none"]), ""]
    return [*lines, "```sh", "python bench/portability.py", "```"]


def _newest_run(study: str, target: str) -> Path:
    found = list(HERE.glob(f"studies/.edgekd/runs/{study}-{DIGEST}/verdicts/{target}.json"))
    if not found:
        sys.exit(f"no verdict for {target}: run edgekd run bench/studies/{study}.yaml first")
    return max(found, key=lambda path: path.stat().st_mtime).parent.parent


def _agree(artifact: Artifact, name: Name, texts: list[str]) -> Agreement:
    print(f"{artifact.path.name} on {name}", flush=True)
    there = emulated_outputs(find_machine(name), artifact.path, texts)
    here = np.asarray(load(artifact.path).outputs(texts))
    return compare_answers(here, there, texts, artifact.manifest["labels"])


def _show(found: Agreement) -> str:
    return f"{found.agreeing:,} of {found.n:,} [{found.low:.2%}], logits within {found.worst_difference:.3g}"


if __name__ == "__main__":
    main()
