"""Stage that has an artifact answer on instruction sets that its target may meet and that are not here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgekd.compile import Artifact
from edgekd.config import Hardware
from edgekd.data.taskdata import TaskData
from edgekd.emulate import Machine, emulated_logits, find_machine
from edgekd.emulate.machine import Name
from edgekd.errors import EdgekdError, MissingRuntimeError
from edgekd.evaluate.agreement import Agreement, Ported, Proof, compare_answers
from edgekd.evaluate.predictions import Predictions
from edgekd.measure.environment import Environment
from edgekd.pipeline.context import Context, library_versions
from edgekd.pipeline.staging import run_stage
from edgekd.progress import Progress
from edgekd.store import digest_json, write_atomic

# Enough to show 99 % with up to four flips.
_ROWS = 1000
_ENOUGH = 500  # and this many show it with one flip, where there are fewer test rows
# Sets of x86 that add products of int8 without a cut to 16 bits.
_VNNI = frozenset(("avx512_vnni", "avx_vnni", "amx_int8"))


Answers = tuple[TaskData, Predictions]
"""A split, and what the artifact answers to it here."""


def find_foreign(hardware: Hardware, here: Environment) -> tuple[Name, ...]:
    """Name the instruction sets that the target may meet and whose kernels this machine does not run."""
    if hardware.gpu:
        return ()
    if hardware.arch == "aarch64":
        return () if here.arch == "aarch64" else ("asimd",)
    may_lack = not _VNNI & set(hardware.isa)
    return ("avx2",) if may_lack and (here.arch != "x86_64" or _VNNI & set(here.isa)) else ()


def port_artifact(
    context: Context, rows: Sequence[Answers], artifact: Artifact, names: tuple[Name, ...]
) -> tuple[Ported, ...]:
    """Compare the artifact's answers here with those of each emulated machine, unless a proof needs none.

    `rows` are splits with the answers to them here, the test rows first; others are taken where those are
    few, for whether two machines answer alike does not depend on what is right.
    """
    return tuple(_prove(artifact, name) or _port(context, rows, artifact, name) for name in names)


def _prove(artifact: Artifact, name: Name) -> Ported | None:
    """Prove from the weights that nothing saturates on x86 without VNNI; None where that cannot be said."""
    if name != "avx2" or artifact.runtime != "onnxruntime":
        return None
    try:
        import onnx
    except ModuleNotFoundError:
        return None
    from edgekd.compile.saturation import LIMIT, bound_sums

    bound = bound_sums(onnx.load(artifact.path / artifact.manifest["model"]))
    if not bound.is_proof:
        return None
    return Ported(name, "proven", None, proof=Proof(bound.products, bound.largest, LIMIT))


def _port(context: Context, rows: Sequence[Answers], artifact: Artifact, name: Name) -> Ported:
    try:
        machine = find_machine(name)
        _require(machine, artifact)
        return Ported(name, "emulated", _port_stage(context, rows, artifact, machine))
    except EdgekdError as error:
        return Ported(name, "not measured", None, str(error))


def _require(machine: Machine, artifact: Artifact) -> None:
    if machine.runtimes is not None and artifact.runtime not in machine.runtimes:
        raise MissingRuntimeError(f"{artifact.runtime} is not on the emulated machine")


def _port_stage(context: Context, rows: Sequence[Answers], artifact: Artifact, machine: Machine) -> Agreement:
    taken = choose_rows([len(split.texts) for split, _ in rows])
    texts, ids, here = [], [], []
    for (split, answers), places in zip(rows, taken, strict=True):
        first = split is rows[0][0]
        texts += [split.texts[at] for at in places]
        ids += [split.ids[at] if first else f"another split, {split.ids[at]}" for at in places]
        here.append(answers.logits[places])
    reads = {
        "artifact": artifact.digest,
        "machine": machine.name,
        "texts": digest_json(texts),
        "libraries": library_versions("onnxruntime", "numpy", "tokenizers"),
    }

    def build(folder: Path, progress: Progress) -> None:
        progress(0.0, f"{len(texts)} texts under emulation")
        there = emulated_logits(machine, artifact.path, texts)
        (_, answers), *_ = rows
        found = compare_answers(np.concatenate(here), there, ids, artifact.head, answers.bias)
        write_atomic(folder / "agreement.json", json.dumps(found.to_json(), indent=1))

    stage = run_stage(context, f"port/{artifact.student}.{artifact.recipe}.{machine.name}", 2, reads, build)
    return Agreement.from_json(json.loads((stage.path / "agreement.json").read_text(encoding="utf-8")))


def choose_rows(sizes: Sequence[int]) -> list[list[int]]:
    """Choose which rows of each split answer: of the first up to 1,000, spread evenly.

    Where it has fewer than 500, rows of the next ones fill up to that.
    """
    taken: list[list[int]] = []
    for size in sizes:
        held = sum(map(len, taken))
        most = max(0, (_ENOUGH - held) if taken else _ROWS)
        step = max(1, size // most) if most else 1
        taken.append(list(range(0, size, step))[:most])
    return taken
