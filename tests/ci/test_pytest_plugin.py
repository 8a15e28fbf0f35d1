"""The plug-in in real pytest runs, over real artifacts; slow-downs of half leave no verdict to chance."""

import json
import statistics
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from planted import copy_artifact, plant_slowdown

from edgekd.measure.bench_file import load_bench

TESTS = """
import json
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TEXTS = json.loads((HERE / "texts.json").read_text())


def test_slower(edgekd_benchmark):
    edgekd_benchmark(HERE / "slowed" / "static", TEXTS, HERE / "baseline" / "static")


def test_option(edgekd_benchmark):
    edgekd_benchmark(HERE / "slowed" / "static", TEXTS)


def test_faster(edgekd_benchmark):
    edgekd_benchmark(HERE / "baseline" / "static", TEXTS, baseline=HERE / "slowed" / "static")


def test_alone(edgekd_benchmark):
    result = edgekd_benchmark(HERE / "slowed" / "new", TEXTS)
    (HERE / "alone.txt").write_text(str(result.folder))


def test_broken(edgekd_benchmark):
    edgekd_benchmark(HERE / "broken" / "static", TEXTS, HERE / "baseline" / "static")


def test_nothing_there(edgekd_benchmark):
    edgekd_benchmark(HERE / "nothing", TEXTS)


def test_twice(edgekd_benchmark, benchmark):
    benchmark(lambda: 1)
    edgekd_benchmark(HERE / "slowed" / "new", TEXTS)
"""


@pytest.fixture(scope="module")
def session(artifact, texts, tmp_path_factory, run_pytest):
    """One pytest session over real artifacts: its folder and what it printed."""
    folder = tmp_path_factory.mktemp("session")
    copy_artifact(artifact, folder / "baseline" / "static")
    plant_slowdown(artifact, folder / "slowed" / "static", 0.5)
    copy_artifact(artifact, folder / "slowed" / "new")
    copy_artifact(artifact, folder / "broken" / "static", "\nraise ImportError('nothing works')\n")
    (folder / "texts.json").write_text(json.dumps(texts))
    (folder / "test_inner.py").write_text(TESTS)
    options = ["--edgekd-baseline", "baseline", "--edgekd-ci", "ci", "--benchmark-json", "out.json"]
    options += ["--basetemp", folder / "kept", "-rA"]
    return folder, run_pytest(folder, "test_inner.py", *options)


@pytest.fixture(scope="module")
def benchmarks(session):
    document = json.loads((session[0] / "out.json").read_text(encoding="utf-8"))
    return {entry["name"]: entry for entry in document["benchmarks"]}


def outcomes(done):
    lines = [line.split(" - ")[0].split() for line in done.stdout.splitlines() if "::" in line]
    return {line[1].rpartition("::")[2]: line[0] for line in lines if len(line) == 2}


@pytest.mark.long
def test_verdict_decides(session):
    done = session[1]
    assert outcomes(done) == {
        "test_slower": "FAILED",
        "test_option": "FAILED",
        "test_faster": "PASSED",
        "test_alone": "PASSED",
        "test_broken": "FAILED",
        "test_nothing_there": "FAILED",
        "test_twice": "FAILED",
    }, done.stdout + done.stderr
    assert done.returncode == 1


@pytest.mark.long
def test_a_failure_is_one_readable_line(session):
    summary = [line for line in session[1].stdout.splitlines() if line.startswith("FAILED")]
    assert (
        "test_slower - Failed: slower: p50 +" in summary[0] and " against static.onnxruntime." in summary[0]
    )
    assert "Traceback" not in session[1].stdout and "site-packages" not in session[1].stdout
    said = dict(line.partition("::")[2].split(" - ", 1) for line in summary)
    assert "nothing works" in said["test_broken"]
    assert "manifest.json: not found; an artifact is" in said["test_nothing_there"]
    assert "measured already" in said["test_twice"]


@pytest.mark.long
def test_samples_are_those_of_pytest_benchmark(session, benchmarks):
    folder = (session[0] / "alone.txt").read_text()
    result = load_bench(session[0] / folder)
    name = result.subjects[0].name
    ns = np.concatenate([samples.ns for samples in result.samples(name)])
    stats = benchmarks["test_alone"]["stats"]
    assert stats["data"] == (ns / 1e9).tolist()
    assert stats["rounds"] == len(ns) and stats["iterations"] == 1
    assert stats["median"] == pytest.approx(statistics.median(ns.tolist()) / 1e9)
    assert f" {len(ns)} " in session[1].stdout, "the table shows another number of rounds"


@pytest.mark.long
def test_extra_info(benchmarks):
    alone, slower = benchmarks["test_alone"]["extra_info"], benchmarks["test_slower"]["extra_info"]
    assert alone["verdict"] == "no baseline" and "p50_ratio" not in alone
    assert slower["verdict"] == "slower" and slower["p50_ratio"]["low"] > 1.2
    assert benchmarks["test_faster"]["extra_info"]["verdict"] == "faster"
    for info in (alone, slower):
        assert 0 < info["p50_ms"]["low"] <= info["p50_ms"]["estimate"] <= info["p95_ms"]["estimate"]
        assert info["peak_rss_bytes"] > 1 << 20 and info["rounds"] >= 5
        assert len(info["environment_sha256"]) == 64
    assert {"test_broken", "test_nothing_there"}.isdisjoint(benchmarks)


@pytest.mark.long
def test_ci_files_hold_the_comparisons(session):
    root = ET.parse(session[0] / "ci" / "junit.xml").getroot()
    assert len(root) == 7  # three that compare, one measured alone, three that end otherwise
    assert int(root.attrib["failures"]) >= 2
    assert "slower" in (session[0] / "ci" / "summary.md").read_text(encoding="utf-8")
    assert len(json.loads((session[0] / "ci" / "benchmark.json").read_text(encoding="utf-8"))) == 12


@pytest.mark.long
def test_every_measurement_has_its_line(session):
    lines = session[1].stdout.split("= edgekd =", 1)[1].splitlines()
    verdicts = [
        line.partition(":")[0] for line in lines if " rounds" in line and not line.startswith("FAILED")
    ]
    assert verdicts[:4] == ["slower", "slower", "faster", "no baseline"]
