import dataclasses
import os
import subprocess
import sys

import pytest

from edgekd.errors import BadInputError
from edgekd.measure.environment import quiet_cores, read_environment


def test_this_machine_is_described():
    found = read_environment(1)
    assert found.cpu
    assert found.cores == len(os.sched_getaffinity(0))
    assert found.memory_bytes > 1 << 28
    assert dict(found.libraries)["numpy"]
    assert "hugetlb=1" in found.huge_pages
    assert found == read_environment(1)


def test_the_fingerprint_is_of_what_must_be_equal():
    here = read_environment(1)
    assert dataclasses.replace(here, memory_bytes=1).fingerprint == here.fingerprint
    assert here.differences(here) == ()
    for change in ({"threads": 2}, {"cpu": "another"}, {"isa": ()}, {"libraries": ()}, {"kernel": "0"}):
        other = dataclasses.replace(here, **change)
        assert other.fingerprint != here.fingerprint
        (difference,) = here.differences(other)
        (key,) = change
        assert difference == f"{key}: {getattr(here, key)} / {getattr(other, key)}"


def test_versions_are_read_without_importing():
    script = (
        "import sys; from edgekd.measure.environment import read_environment; read_environment(1);"
        "print([m for m in ('torch', 'onnxruntime', 'openvino', 'numpy', 'scipy') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_cores_are_allowed_ones():
    allowed = os.sched_getaffinity(0)
    assert set(quiet_cores(1, 0.01)) < allowed or len(allowed) == 1
    assert set(quiet_cores(len(allowed), 0.01)) == allowed
    with pytest.raises(BadInputError, match="cores are allowed here"):
        quiet_cores(len(allowed) + 1)
