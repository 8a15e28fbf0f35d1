"""Which instruction sets have to be asked for, by the target and the machine."""

import dataclasses

import pytest

from edgekd.compile import open_artifact
from edgekd.compile.saturation import LIMIT
from edgekd.config import Hardware
from edgekd.measure.environment import read_environment
from edgekd.pipeline.porting import _prove, choose_rows, find_foreign


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


def test_few_test_rows_are_filled_up_from_other_splits():
    assert [len(one) for one in choose_rows([5000, 900])] == [1000, 0]
    assert [len(one) for one in choose_rows([600, 900])] == [600, 0]
    assert [len(one) for one in choose_rows([240, 90])] == [240, 90]
    assert [len(one) for one in choose_rows([240, 9000])] == [240, 260]
    assert choose_rows([3, 0]) == [[0, 1, 2], []]
    assert choose_rows([2000, 1])[0][:3] == [0, 2, 4]


def test_an_artifact_in_int8_is_proven_without_an_emulator(artifact):
    built = open_artifact(artifact)
    assert built.runtime == "onnxruntime" and built.recipe == "int8-dynamic"
    found = _prove(built, "avx2")
    assert found.basis == "proven" and found.agreement is None
    assert found.proof.products > 0 and 0 < found.proof.largest <= found.proof.limit == LIMIT
    assert _prove(built, "asimd") is None  # arm64 rounds elsewhere: that is no saturation
    assert _prove(dataclasses.replace(built, runtime="numpy"), "avx2") is None
