"""Every recipe on every runtime that it names: a new recipe is tested by existing."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import build_sample
import numpy as np
import onnxruntime as ort
import pytest
import sample_students as samples
import traced

from edgekd.compile import open_artifact
from edgekd.compile.choose import isas_of
from edgekd.compile.inductor import check_opens
from edgekd.config import Hardware
from edgekd.errors import ConfigError, ParityError
from edgekd.measure.environment import read_environment
from edgekd.plugins import list_plugins, load_plugin
from edgekd.serving import load

MARKS = {"openvino": [pytest.mark.openvino], "aotinductor": [pytest.mark.long], "litert": [pytest.mark.long]}
LONG = {("openvino", "int8-nncf"), ("openvino", "fp16")}
BUILDS = [
    pytest.param(
        student,
        runtime,
        recipe,
        marks=MARKS.get(runtime, []) + [pytest.mark.long] * ((runtime, recipe) in LONG),
    )
    for recipe in list_plugins("recipes")
    for runtime in load_plugin("recipes", recipe).RUNTIMES
    for student, kind in (("cut", "transformer"), ("static", "static"))
    if kind in load_plugin("recipes", recipe).KINDS
    # LiteRT takes 15 s: each recipe once, each student once. AOTInductor takes longer, and its fp32
    # is served in tests/bundle.
    if runtime != "litert" or (student == "cut") == (recipe == "int8-dynamic")
    if runtime != "aotinductor" or (student, recipe) == ("static", "fp16")
]
# By runtime: pairs of student and recipe. Machine code of AOTInductor names the folder it was made in: no
# digest of it is the same twice.
DIGESTS = {}
for student, runtime, recipe in (param.values for param in BUILDS):
    if (student == "cut" and (runtime, recipe) != ("litert", "int8-dynamic")) or (
        student,
        runtime,
        recipe,
    ) in (
        ("static", "litert", "int4-tables"),
        ("static", "numpy", "int8-tables"),
    ):
        DIGESTS.setdefault(runtime, []).append((student, recipe))
# Mean absolute logit error over the logits' standard deviation: twice what was measured.
MOST_ERROR = {"cut": 0.12, "static": 0.10, "tiny": 0.15}
MOST_ERROR_INT4 = 0.27
# OpenVINO's int8 products on a CPU without VNNI, which sum two of them in 16 bits and cut what does not fit.
MOST_ERROR_IN_16_BITS = 0.31
VNNI = {"avx512_vnni", "avx_vnni", "amx_int8"}
# LiteRT's file holds the layer and the scales of each bucket of lengths anew.
MOST_BYTES = {"onnxruntime": 0.3, "openvino": 0.3, "litert": 0.4, "numpy": 0.35}
# One build of each runtime, whose answering process is watched, and how many threads that starts.
TRACED = {param.values[1]: param.values for param in reversed(BUILDS)}.values()
# As counted on two cores, with one thread to compute; OpenVINO has a pool of its own. AOTInductor has
# no limit here, because its threads were not counted.
# ONNX Runtime looks for unlike cores on an Intel CPU, from a thread that ends before a model is opened.
IS_INTEL = "GenuineIntel" in Path("/proc/cpuinfo").read_text()
THREADS = {"numpy": 0, "onnxruntime": int(IS_INTEL), "litert": 0, "openvino": 5}
# Where there is none, its builds are made for this CPU: the same road but for the device.
GPU = Hardware(arch="x86_64", vendor="nvidia", gpu=True, memory_mib=8192)


@pytest.mark.parametrize(("student", "runtime", "recipe"), BUILDS)
def test_builds(graphs, tmp_path, capfd, student, runtime, recipe):
    graph = graphs[student]
    hardware = GPU if runtime == "aotinductor" else build_sample.X86
    # LiteRT takes seconds a bucket of lengths: two of a transformer, of a static student all.
    few = {"texts": ["where is my order"]} if (student, runtime) == ("cut", "litert") else {}
    folder = tmp_path / "artifact"
    made = build_sample.compile_sample(graph, runtime, recipe, folder, hardware=hardware, **few)
    module = load_plugin("recipes", recipe)
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")

    most = MOST_ERROR_INT4 if recipe == "int8-int4" else MOST_ERROR[student]
    if (runtime, recipe) == ("openvino", "int8-nncf") and not VNNI & set(read_environment(1).isa):
        most = max(most, MOST_ERROR_IN_16_BITS)
    assert made.parity.mean_error_share < (1e-5 if module.IS_EXACT else most)
    manifest = made.manifest
    assert manifest["labels"] == list(samples.LABELS)
    assert manifest["isas"] == list(isas_of(module, runtime))
    assert manifest["provenance"]["graph"] == graph.digest
    assert manifest["provenance"]["teacher"] == "none"
    assert set(load_plugin("runtimes", runtime).LIBRARIES) <= set(manifest["provenance"]["libraries"])
    assert manifest["precision"] == ({"INFERENCE_PRECISION_HINT": "f32"} if runtime == "openvino" else {})
    runtimes = {Path(name).name for name in manifest["files"] if name.startswith("serving/runtimes/")}
    assert runtimes == {"__init__.py", f"{runtime}.py"}
    assert made.size_bytes == sum(p.stat().st_size for p in made.path.rglob("*") if p.is_file())
    assert open_artifact(made.path).digest == made.digest
    if recipe.startswith("int"):  # tables too: nothing of size is left in fp32
        assert made.size_bytes < MOST_BYTES[runtime] * graph.path.stat().st_size

    model = load(made.path)
    for text in samples.ODD_TEXTS:
        assert model(text).label in samples.LABELS
    rows = [model.tokenize(text) for text in ("where is my order", "when is my money")]
    session = np.stack([model.run(row) for row in rows])
    assert np.isfinite(session).all()
    if runtime == "litert":
        check_every_length(model, graph, 1e-5 if module.IS_EXACT else 2 * most)
    assert json.loads((made.path / "calibration.json").read_text())["temperature"] in (1, 2)
    if (student, runtime, recipe) in TRACED:
        check_process(made.path, runtime, tmp_path / "traced")
    if runtime == "aotinductor":
        check_that_a_crash_is_said(made.path / manifest["model"], tmp_path)


def check_that_a_crash_is_said(package, folder):
    """Machine code that kills whoever opens it is refused, with the compiler to blame; so is a torn file."""
    library, crashing = folder / "crash.so", folder / "crash.pt2"
    source = "#include <csignal>\n__attribute__((constructor)) void now() { raise(SIGSEGV); }\n"
    command = ["g++", "-shared", "-fPIC", "-x", "c++", "-", "-o", str(library)]
    subprocess.run(command, input=source, text=True, check=True)
    with zipfile.ZipFile(package) as good, zipfile.ZipFile(crashing, "w") as bad:
        for name in good.namelist():
            bad.writestr(name, library.read_bytes() if name.endswith(".so") else good.read(name))
    with pytest.raises(ParityError, match=r"does not open in a fresh process \(SIGSEGV\); .*g\+\+"):
        check_opens(crashing)
    crashing.write_bytes(package.read_bytes()[:1000])
    with pytest.raises(ParityError, match=r"does not open in a fresh process \(.+\)"):
        check_opens(crashing)


def check_process(artifact, runtime, folder):
    """A process that answers writes nothing, calls nobody, and starts what its engine computes with."""
    folder.mkdir()
    command = [sys.executable, "-B", "-m", "serving", "where is my order"]
    seen = traced.trace(command, artifact, folder)
    assert json.loads(seen.said)["label"] in samples.LABELS
    assert (seen.written, seen.hosts, seen.forked) == (set(), set(), 0)
    assert seen.threads <= THREADS.get(runtime, seen.threads)
    left = [path.name for path in (folder / "tmp").iterdir()]
    # AOTInductor's loader has torch's compiler find out which vector instructions there are, and keeps that.
    assert not left or (runtime == "aotinductor" and left[0].startswith("torchinductor_") and not left[1:])


def check_every_length(model, graph, most):
    """Where texts are padded to buckets, no length may answer otherwise, least of all beside an edge."""
    exact = ort.InferenceSession(graph.path)
    rng = np.random.default_rng(3)
    for length in range(1, graph.max_tokens + 1):
        ids = rng.integers(5, 2000, length).tolist()
        (wanted,) = exact.run(None, {"input_ids": np.array([ids])})
        assert np.abs(model.run(ids) - wanted[0]).mean() < most * wanted.std(), length


@pytest.mark.long
@pytest.mark.parametrize("runtime", sorted(DIGESTS))
def test_another_process_builds_the_same_digests(graphs, tmp_path, runtime):
    """One process a runtime: most of its time goes into imports."""
    pairs = [("tiny" if student == "cut" else student, recipe) for student, recipe in DIGESTS[runtime]]
    here = [
        build_sample.compile_sample(graphs[student], runtime, recipe, tmp_path / f"here-{recipe}")
        for student, recipe in pairs
    ]
    where = graphs["tiny"].path.parent
    asked = [f"{student}:{recipe}:{tmp_path / f'there-{recipe}'}" for student, recipe in pairs]
    command = [sys.executable, build_sample.__file__, where, runtime, *asked]
    environment = {**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [*map(str, command)], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for made, digest in zip(here, done.stdout.split(), strict=True):
        other = open_artifact(made.path.with_name(made.path.name.replace("here", "there")))
        assert dict(made.manifest) == dict(other.manifest)  # says which file it is
        assert made.digest == digest


def test_a_recipe_for_static_students_refuses_others(graphs, tmp_path):
    with pytest.raises(ConfigError, match="int8-tables is for students that are static; tiny is transformer"):
        build_sample.compile_sample(graphs["tiny"], "numpy", "int8-tables", tmp_path / "no")


def test_numpy_opens_shared_rows_and_one_token(graphs, tmp_path):
    made = build_sample.compile_sample(graphs["static"], "numpy", "int8-tables", tmp_path / "few", rows=4096)
    assert made.parity.agreeing == 1
    model = load(made.path)
    assert model("").label in samples.LABELS


@pytest.mark.parametrize("recipe", list_plugins("recipes"))
def test_recipe_says_what_it_is(recipe):
    module = load_plugin("recipes", recipe)
    assert isinstance(module.VERSION, int)
    assert module.RUNTIMES
    assert set(module.RUNTIMES) <= set(list_plugins("runtimes"))
    assert module.ISAS
    assert set(module.KINDS) <= {"transformer", "static"}
    assert isinstance(module.IS_EXACT, bool)
    assert module.__doc__


def test_batch_of_equal_lengths(graphs, tmp_path):
    for runtime in ("onnxruntime", "openvino"):
        made = build_sample.compile_sample(graphs["tiny"], runtime, "fp32", tmp_path / runtime)
        session = load_plugin("runtimes", runtime).open_session(made.path, made.manifest, 1)
        ids = np.arange(30).reshape(3, 10) + 100
        single = np.stack([session.run(row.tolist()) for row in ids])
        np.testing.assert_allclose(session.run_batch(ids), single, atol=1e-5)
        np.testing.assert_allclose(session.run_batch(ids[:2]), single[:2], atol=1e-5)
