"""What an engine would tell its maker: switched off before any engine is imported.

ONNX Runtime 1.29 and later (as published for Linux) writes a device number and a database below `~/.cache`,
starts a thread and sends events that name the model's file. Its environment variable stops all of it, and is
read while the library loads. OpenVINO's Python package imports a client of an analytics service, which writes
`~/intel` and starts processes; without that client OpenVINO and NNCF work the same.
"""

from __future__ import annotations

import os
import sys
from typing import Any, cast

VARIABLES = {"ORT_DISABLE_TELEMETRY": "1"}
"""Environment variables, whatever they were before."""
BLOCKED = ("openvino_telemetry",)
"""Modules that cannot be imported, unless the process has imported them already."""


def silence() -> None:
    """Switch it off in this process, and in those that it starts."""
    os.environ.update(VARIABLES)
    for name in BLOCKED:
        cast("dict[str, Any]", sys.modules).setdefault(name, None)
