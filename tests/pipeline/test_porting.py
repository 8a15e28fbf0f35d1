"""Which instruction sets have to be asked for, by the target and the machine."""

import dataclasses

import pytest

from edgekd.config import Hardware
from edgekd.measure.environment import read_environment
from edgekd.pipeline.porting import find_foreign


@pytest.mark.parametrize(
    ("arch", "isa", "here", "has", "asked"),
    [
        ("x86_64", ["avx2"], "x86_64", ("avx2", "avx512_vnni"), ("avx2",)),
        ("x86_64", ["avx2"], "x86_64", ("avx2",), ()),
        ("x86_64", ["avx2", "avx512_vnni"], "x86_64", ("avx2", "avx512_vnni"), ()),
        ("x86_64", ["avx2"], "aarch64", ("asimd",), ("avx2",)),
        ("aarch64", [], "x86_64", ("avx2",), ("asimd",)),
        ("aarch64", ["asimddp"], "aarch64", ("asimd",), ()),
    ],
)
def test_what_the_target_may_meet_and_is_not_here(arch, isa, here, has, asked):
    machine = dataclasses.replace(read_environment(1), arch=here, isa=has)
    hardware = Hardware(arch=arch, isa=tuple(isa), memory_mib=1024)
    assert find_foreign(hardware, machine) == asked
    assert find_foreign(hardware.model_copy(update={"gpu": True}), machine) == ()
