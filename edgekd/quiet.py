"""What the libraries of edgekd would tell their makers: switched off before any of them is imported.

`import edgekd` does it, so every process of edgekd is quiet: the command line, the measured processes, the
helper that compiles. Loaders inside artifacts have their own list (`serving/quiet.py`), for they run without
edgekd. What you ask for is still sent where you ask: trackers, a model registry, weights from a hub.
"""

from __future__ import annotations

import os
import sys
from typing import Any, cast

VARIABLES = {
    "DO_NOT_TRACK": "true",  # the variable that several libraries share; MLflow reads only "true"
    "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime from 1.29: files in ~/.cache, a thread, events
    "HF_HUB_DISABLE_TELEMETRY": "1",  # huggingface_hub, transformers, datasets, accelerate
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "HF_UPDATE_DOWNLOAD_COUNTS": "0",  # datasets
    "DISABLE_SAFETENSORS_CONVERSION": "1",  # transformers asks a service to convert weights that it loads
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "WANDB_ERROR_REPORTING": "false",
}
"""Environment variables, whatever they were before; processes that are started inherit them."""
BLOCKED = ("openvino_telemetry",)
"""Modules that cannot be imported: the analytics client of OpenVINO and NNCF, which no variable stops."""


def silence() -> None:
    """Switch it off in this process, and in those that it starts."""
    os.environ.update(VARIABLES)
    for name in BLOCKED:
        cast("dict[str, Any]", sys.modules).setdefault(name, None)
