"""The step that has an artifact answer on instruction sets that its target may meet and that are not here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekd.compile import Artifact, open_artifact
from edgekd.config import Hardware
from edgekd.emulate import Machine, emulated_outputs, find_machine
from edgekd.emulate.machine import Name
from edgekd.engines.step import Folder, Inputs, Settings, Step
from edgekd.errors import EdgekdError, MissingRuntimeError
from edgekd.evaluate.agreement import Agreement, Ported, Proof, compare_answers
from edgekd.measure.environment import Environment
from edgekd.pipeline.answering import artifact_step, read_served
from edgekd.pipeline.context import Context, library_versions
from edgekd.pipeline.opening import open_rows
from edgekd.progress import Progress
from edgekd.serving.request import join_outputs
from edgekd.store import write_atomic

_AGREEMENT = "agreement.json"
# Enough to show 99 % with up to four flips.
_ROWS = 1000
_ENOUGH = 500  # and this many show it with one flip, where there are fewer test rows
# Sets of x86 that add products of int8 without a cut to 16 bits.
_VNNI = frozenset(("avx512_vnni", "avx_vnni", "amx_int8"))


def find_foreign(hardware: Hardware, here: Environment) -> tuple[Name, ...]:
    """Name the instruction sets that the target may meet and whose kernels this machine does not run."""
    if hardware.gpu:
        return ()
    if hardware.arch == "aarch64":
        return () if here.arch == "aarch64" else ("asimd",)
    may_lack = not _VNNI & set(hardware.isa)
    return ("avx2",) if may_lack and (here.arch != "x86_64" or _VNNI & set(here.isa)) else ()


def port_artifact(context: Context, artifact: Artifact, names: tuple[Name, ...]) -> tuple[Ported, ...]:
    """Compare the artifact's answers here with those of each emulated machine, unless a proof needs none.

    It answers test rows, and validation rows where those are few: whether two machines answer alike does not
    depend on what is right.
    """
    return tuple(_prove(artifact, name) or _port(context, artifact, name) for name in names)


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


def _port(context: Context, artifact: Artifact, name: Name) -> Ported:
    try:
        machine = find_machine(name)
        _require(machine, artifact)
        stage = context.engine.make(port_step(context, artifact, machine))
        return Ported(name, "emulated", Agreement.from_json(_read(stage.path)))
    except EdgekdError as error:
        return Ported(name, "not measured", None, str(error))


def _require(machine: Machine, artifact: Artifact) -> None:
    if machine.runtimes is not None and artifact.runtime not in machine.runtimes:
        raise MissingRuntimeError(f"{artifact.runtime} is not on the emulated machine")


def port_step(context: Context, artifact: Artifact, machine: Machine) -> Step:
    """Have an artifact answer on an emulated machine, beside its answers here."""
    return Step(
        f"port/{artifact.student}.{artifact.recipe}.{machine.name}",
        3,
        "edgekd.pipeline.porting:build_agreement",
        settings={"machine": machine.name},
        inputs={
            "artifact": Folder(artifact.path, artifact.digest),
            "answer": artifact_step(context, artifact, "answer"),
            "validate": artifact_step(context, artifact, "validate"),
            "rows": context.data.part("test", "validation"),
        },
        reads={"libraries": library_versions("onnxruntime", "numpy", "tokenizers")},
    )


def build_agreement(folder: Path, settings: Settings, inputs: Inputs, progress: Progress) -> None:
    """Answer some rows on the emulated machine, and write how far that is from the answers here."""
    data, artifact = open_rows(inputs["rows"].path), inputs["artifact"]
    splits = {word: data.split(split) for word, split in (("answer", "test"), ("validate", "validation"))}
    answers = {
        word: read_served(artifact.path, artifact.digest, inputs[word].path, rows)
        for word, rows in splits.items()
    }
    texts, ids, here = [], [], []
    for (word, rows), places in zip(
        splits.items(), choose_rows([len(rows) for rows in splits.values()]), strict=True
    ):
        texts += [rows.requests[at] for at in places]
        ids += [rows.ids[at] if word == "answer" else f"another split, {rows.ids[at]}" for at in places]
        here.append(answers[word].outputs[places])
    progress(0.0, f"{len(texts)} texts under emulation")
    there = emulated_outputs(find_machine(settings["machine"]), artifact.path, texts)
    bias, head = answers["answer"].bias, open_artifact(artifact.path).head
    table = join_outputs([*here, there])  # as wide as the longest row of either
    found = compare_answers(table[: len(ids)], table[len(ids) :], ids, head, bias)
    write_atomic(folder / _AGREEMENT, json.dumps(found.to_json(), indent=1))


def _read(folder: Path) -> dict[str, Any]:
    agreement: dict[str, Any] = json.loads((folder / _AGREEMENT).read_text(encoding="utf-8"))
    return agreement


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
