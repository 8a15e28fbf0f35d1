"""What `import edgekd` offers, and that it is light."""

import subprocess
import sys

import pytest

import edgekd
from edgekd.errors import ConfigError

HEAVY = ("numpy", "pydantic", "torch", "onnxruntime", "optuna")


def test_importing_loads_nothing_heavy():
    code = f"import edgekd, sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_is_offered_is_there():
    assert sorted(edgekd.__all__) == edgekd.__all__
    assert all(hasattr(edgekd, name) for name in edgekd.__all__)


def test_a_project_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        edgekd.size(tmp_path / "edgekd.yaml", target="lambda-x86", budget=edgekd.Budget(p95_ms=1))
