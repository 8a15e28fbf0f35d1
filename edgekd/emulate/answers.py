"""An artifact's outputs on an emulated machine, through its own loader."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgekd.emulate.machine import Machine
from edgekd.errors import MeasurementError

# Runs there: knows the artifact, numpy and the runtime, nothing else.
_SCRIPT = """
import json, pathlib, sys
artifact, texts, out = sys.argv[1:]
sys.path.insert(0, artifact)
sys.dont_write_bytecode = True
import numpy as np
from serving import load
model = load(pathlib.Path(artifact), threads=1)
np.save(out, model.outputs(json.loads(pathlib.Path(texts).read_text("utf-8"))), allow_pickle=False)
"""
_SECONDS = 120  # to start; QEMU takes about a hundredth of the machine's speed
_SECONDS_A_TEXT = 5


def emulated_outputs(machine: Machine, artifact: Path, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Return outputs [text, output]; of requests with candidates a row ends in NaN where it has fewer.

    Raises:
        MeasurementError: the artifact does not answer there; the message has its last line.
    """
    with tempfile.TemporaryDirectory() as folder:
        given, out = Path(folder, "texts.json"), Path(folder, "logits.npy")
        given.write_text(json.dumps(list(texts)), encoding="utf-8")
        command = [*machine.command, "-c", _SCRIPT, str(artifact.resolve()), str(given), str(out)]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=_SECONDS + _SECONDS_A_TEXT * len(texts),
                cwd=folder,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
        except subprocess.TimeoutExpired as error:
            raise MeasurementError(f"{machine.name}: no answers after {error.timeout:.0f} s") from None
        if done.returncode != 0 or not out.exists():
            lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            raise MeasurementError(f"{machine.name}: {artifact.name} does not answer: {lines[-1]:.300}")
        outputs: npt.NDArray[np.float32] = np.load(out, allow_pickle=False)
    known = np.isfinite(outputs)
    is_whole = outputs.ndim == 2 and len(outputs) == len(texts) and bool(known[:, :1].all())
    if not is_whole or not (known == (np.arange(outputs.shape[1]) < known.sum(1)[:, None])).all():
        raise MeasurementError(
            f"{machine.name}: expected {len(texts)} rows of finite outputs, got {list(outputs.shape)}"
        )
    return outputs
