"""Runs a repository of OpenVINO Model Server in Triton's Python backend: its config.json, by OpenVINO."""

import json
from pathlib import Path

import numpy as np
import openvino as ov
import triton_python_backend_utils as backend


class TritonPythonModel:
    def initialize(self, args):
        config = Path(json.loads(args["model_config"])["parameters"]["config"]["string_value"])
        model = json.loads(config.read_text(encoding="utf-8"))["model_config_list"][0]["config"]
        xml = next((config.parent / model["base_path"] / "1").glob("*.xml"))
        self._model = ov.Core().compile_model(xml, model["target_device"], model["plugin_config"])
        self._names = [port.get_any_name() for port in self._model.inputs]

    def execute(self, requests):
        answers = []
        for request in requests:
            given = {name: backend.get_input_tensor_by_name(request, name).as_numpy() for name in self._names}
            logits = np.ascontiguousarray(self._model(given)[0])
            answers.append(backend.InferenceResponse([backend.Tensor("logits", logits)]))
        return answers
