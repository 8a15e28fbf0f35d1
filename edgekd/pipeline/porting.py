"""Stage that has an artifact answer on instruction sets that its target may meet and that are not here."""

from __future__ import annotations

import json
from pathlib import Path

from edgekd.compile import Artifact
from edgekd.config import Hardware
from edgekd.data.taskdata import TaskData
from edgekd.emulate import Machine, emulated_logits, find_machine
from edgekd.emulate.machine import Name
from edgekd.errors import EdgekdError, MissingRuntimeError
from edgekd.evaluate.agreement import Agreement, Ported, compare_answers
from edgekd.evaluate.predictions import Predictions
from edgekd.measure.environment import Environment
from edgekd.pipeline.context import Context, library_versions
from edgekd.pipeline.staging import run_stage
from edgekd.progress import Progress
from edgekd.store import digest_json, write_atomic

# Enough to show 99 % with up to four flips.
_ROWS = 1000
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


def port_artifact(
    context: Context, test: TaskData, artifact: Artifact, names: tuple[Name, ...], answers: Predictions
) -> tuple[Ported, ...]:
    """Compare the artifact's answers here to test rows with those of each emulated machine."""
    return tuple(_port(context, test, artifact, name, answers) for name in names)


def _port(context: Context, test: TaskData, artifact: Artifact, name: Name, answers: Predictions) -> Ported:
    try:
        machine = find_machine(name)
        _require(machine, artifact)
        return Ported(name, "emulated", _port_stage(context, test, artifact, machine, answers))
    except EdgekdError as error:
        return Ported(name, "not measured", None, str(error))


def _require(machine: Machine, artifact: Artifact) -> None:
    if machine.runtimes is not None and artifact.runtime not in machine.runtimes:
        raise MissingRuntimeError(f"{artifact.runtime} is not on the emulated machine")


def _port_stage(
    context: Context, test: TaskData, artifact: Artifact, machine: Machine, answers: Predictions
) -> Agreement:
    step = max(1, len(test.texts) // _ROWS)
    places = list(range(0, len(test.texts), step))[:_ROWS]
    texts, ids = [test.texts[at] for at in places], [str(test.ids[at]) for at in places]
    reads = {
        "artifact": artifact.digest,
        "machine": machine.name,
        "texts": digest_json(texts),
        "libraries": library_versions("onnxruntime", "numpy", "tokenizers"),
    }

    def build(folder: Path, progress: Progress) -> None:
        progress(0.0, f"{len(texts)} texts under emulation")
        there = emulated_logits(machine, artifact.path, texts)
        found = compare_answers(answers.logits[places], there, ids, list(test.labels))
        write_atomic(folder / "agreement.json", json.dumps(found.to_json(), indent=1))

    stage = run_stage(context, f"port/{artifact.student}.{artifact.recipe}.{machine.name}", 1, reads, build)
    return Agreement.from_json(json.loads((stage.path / "agreement.json").read_text(encoding="utf-8")))
