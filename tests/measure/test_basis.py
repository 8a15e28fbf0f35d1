"""What a figure measured here is worth for a target."""

from dataclasses import replace

import pytest

from edgekd.config import Hardware
from edgekd.measure.basis import find_basis
from edgekd.measure.environment import read_environment

HERE = replace(read_environment(1), arch="x86_64", gpu="NVIDIA L4")
GPU = {"arch": "x86_64", "vendor": "nvidia", "gpu": True, "memory_mib": 8192}


@pytest.mark.parametrize(
    ("name", "here", "basis", "words"),
    [
        ("L4", {}, "native", "measured on NVIDIA L4"),
        ("nvidia l4", {}, "native", "measured on NVIDIA L4"),
        ("L40", {}, "proxy", "measured on NVIDIA L4, the target is L40"),
        ("L4", {"gpu": "NVIDIA L40S"}, "proxy", "measured on NVIDIA L40S, the target is L4"),
        ("A100", {"gpu": "NVIDIA A100-SXM4-40GB"}, "native", "A100"),
        (None, {}, "proxy", "does not say which GPU it has: hardware.gpu_name"),
        ("L4", {"arch": "aarch64"}, "proxy", "beside aarch64, the target is x86_64"),
        ("L4", {"gpu": ""}, "not measured", "no NVIDIA GPU here"),
    ],
)
def test_a_gpu_is_native_only_where_it_is_the_targets(name, here, basis, words):
    found, reason = find_basis(Hardware(**GPU, gpu_name=name), replace(HERE, **here))
    assert found == basis and words in reason


def test_a_name_of_a_gpu_needs_one():
    with pytest.raises(ValueError, match="set gpu: true"):
        Hardware(arch="x86_64", memory_mib=512, gpu_name="L4")
