"""What Triton's Python backend runs: the artifact that this file lies in, on its own engine."""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as backend  # Triton provides it


class TritonPythonModel:
    """One instance; Triton calls it from one thread of a process of its own."""

    def initialize(self, args: dict[str, str]) -> None:
        """Check every file of the artifact, then open its session."""
        folder = Path(args["model_repository"]) / args["model_version"]
        sys.path.insert(0, str(folder))
        reading = importlib.import_module("serving.manifest")
        manifest = reading.read_manifest(folder, verify=False)
        path = folder / reading.NAME
        try:
            reading.check_seal(path, path.read_bytes(), manifest)
        except ValueError as error:
            raise backend.TritonModelException(str(error)) from None
        digest_file = importlib.import_module("serving.digest").digest_file
        for name, entry in manifest["files"].items():
            if digest_file(folder / name, hashlib.sha256) != entry["sha256"]:
                raise backend.TritonModelException(f"{folder / name}: not what the manifest says")
        settings = json.loads(args["model_config"])["parameters"]
        runtimes = importlib.import_module("serving.runtimes")
        runtime = runtimes.import_runtime(folder, manifest)
        threads = int(settings["threads"]["string_value"])
        self._run = runtimes.open_session(runtime, folder, manifest, threads).run_batch
        self._input, self._output = manifest["input"]["name"], manifest["output"]["name"]

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer requests in one batch: Triton puts together only those of equal length."""
        ids = [backend.get_input_tensor_by_name(one, self._input).as_numpy() for one in requests]
        outputs = self._run(np.concatenate(ids))
        ends = np.cumsum([len(rows) for rows in ids])[:-1]
        return [
            backend.InferenceResponse([backend.Tensor(self._output, np.ascontiguousarray(part))])
            for part in np.split(outputs, ends)
        ]
