"""What the plug-in says where it cannot decide or does not measure; others may run beside it."""

import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
from planted import copy_artifact

# Every second process that starts, of whichever artifact, takes three times as long: rounds contradict each
# other, so that no number of them agrees.
_CONTRARY = """

def _slow_every_second() -> None:
    import time
    from pathlib import Path

    with (Path(__file__).parents[3] / "starts").open("ab") as starts:
        starts.write(b".")
        factor = 1 + 2 * (starts.tell() % 2)
    answer, clock = Model.__call__, time.perf_counter_ns

    def slowed(self, text):
        start = clock()
        result = answer(self, text)
        end = start + (clock() - start) * factor
        while clock() < end:
            pass
        return result

    Model.__call__ = slowed


_slow_every_second()
"""


@pytest.mark.long
def test_too_noisy_is_no_pass(artifact, texts, tmp_path, run_pytest):
    for name in ("baseline", "contrary"):
        copy_artifact(artifact, tmp_path / name / "static", _CONTRARY)
    test = f"""
def test_noisy(edgekd_benchmark, edgekd_artifact):
    edgekd_benchmark(edgekd_artifact, {texts!r})
"""
    (tmp_path / "test_inner.py").write_text(test, encoding="utf-8")
    done = run_pytest(tmp_path, "--edgekd-artifacts", "contrary", "--edgekd-baseline", "baseline")
    assert done.returncode == 1
    line = next(line for line in done.stdout.splitlines() if line.startswith("FAILED"))
    assert "test_noisy[static] - Failed: too noisy: p50 " in line
    assert "; to decide, " in line


PARAMETRIZED = """
def test_latency(edgekd_benchmark, edgekd_artifact):
    edgekd_benchmark(edgekd_artifact, ["a"])
"""


def test_without_artifacts_a_test_is_skipped_with_a_reason(tmp_path, run_pytest):
    (tmp_path / "test_inner.py").write_text(PARAMETRIZED)
    done = run_pytest(tmp_path, "-rs")
    assert "1 skipped" in done.stdout and "give --edgekd-artifacts DIR" in done.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--edgekd-artifacts", "basline"), "--edgekd-artifacts: basline is no folder"),
        (("--edgekd-artifacts", "empty"), "--edgekd-artifacts: no artifacts in empty"),
        (("--edgekd-baseline", "empty"), "--edgekd-baseline: no artifacts in empty"),
        (("--edgekd-memory-mib", "nan"), "--edgekd-memory-mib: expected MiB above 0, got nan"),
    ],
)
def test_what_would_let_every_artifact_pass_is_refused_with_files(tmp_path, run_pytest, options, message):
    (tmp_path / "test_inner.py").write_text(PARAMETRIZED)
    (tmp_path / "empty").mkdir()
    done = run_pytest(tmp_path, *options, "--edgekd-ci", "ci")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert message in done.stderr and "Traceback" not in done.stderr
    root = ET.parse(tmp_path / "ci" / "junit.xml").getroot()
    assert root.attrib["errors"] == "1" and message in root.find(".//error").attrib["message"]
    assert "1 not measured" in (tmp_path / "ci" / "summary.md").read_text(encoding="utf-8")


@pytest.mark.long
def test_damaged_artifacts_fail_by_name_with_files(artifact, tmp_path, run_pytest):
    (tmp_path / "test_inner.py").write_text(PARAMETRIZED)
    folders = [tmp_path / "artifacts" / name for name in ("cut", "flipped", "without")]
    for folder in folders:
        shutil.copytree(artifact, folder)
    (folders[0] / "manifest.json").write_text("{")
    model = folders[1] / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"?")
    (folders[2] / "manifest.json").unlink()
    done = run_pytest(tmp_path, "--edgekd-artifacts", "artifacts", "--edgekd-ci", "ci")
    assert done.returncode == 1 and "3 failed" in done.stdout, done.stdout
    said = {
        case.attrib["classname"]: case.find("error").attrib["message"]
        for case in ET.parse(tmp_path / "ci" / "junit.xml").getroot().iter("testcase")
    }
    assert set(said) == {"cut", "flipped", "without"}
    assert "cut/manifest.json" in said["cut"] and "manifest.json: not found" in said["without"]
    assert "flipped/model.onnx: sha256 is" in said["flipped"]
    assert json.loads((tmp_path / "ci" / "benchmark.json").read_text()) == []


@pytest.mark.long
def test_a_job_that_measures_nothing_is_no_pass(artifact, tmp_path, run_pytest):
    (tmp_path / "test_inner.py").write_text("def test_other():\n    pass\n")
    shutil.copytree(artifact, tmp_path / "artifacts" / "static")
    done = run_pytest(tmp_path, "--edgekd-artifacts", "artifacts", "--edgekd-ci", "ci")
    assert done.returncode == 1 and "no test measured anything" in done.stdout
    assert ET.parse(tmp_path / "ci" / "junit.xml").getroot().attrib["errors"] == "1"
    (tmp_path / "test_inner.py").write_text(PARAMETRIZED)
    done = run_pytest(tmp_path, "-n", "1", "--edgekd-artifacts", "artifacts")
    assert done.returncode == 1 and "leave out -n for these tests" in done.stdout


def test_disabled_benchmarks_are_skipped_with_a_reason(artifact, tmp_path, run_pytest):
    (tmp_path / "test_inner.py").write_text(PARAMETRIZED)
    shutil.copytree(artifact, tmp_path / "artifacts" / "static")
    done = run_pytest(tmp_path, "-rs", "--benchmark-disable", "--edgekd-artifacts", "artifacts")
    assert "1 skipped" in done.stdout and "benchmarks are disabled" in done.stdout
    done = run_pytest(tmp_path, "-rs", "--benchmark-skip", "--edgekd-artifacts", "artifacts")
    assert "1 skipped" in done.stdout


def test_nothing_heavy_is_loaded_until_a_test_measures():
    code = "import sys, edgekd.pytest_plugin; print({'numpy', 'scipy', 'edgekd.measure'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
