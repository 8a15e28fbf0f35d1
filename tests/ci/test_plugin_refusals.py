"""What the plug-in says where it cannot decide or does not measure; others may run beside it."""

import shutil
import subprocess
import sys

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
    (tmp_path / "empty").mkdir()
    done = run_pytest(tmp_path, "-rs", "--edgekd-artifacts", "empty")
    assert "1 skipped" in done.stdout and "no artifacts in empty" in done.stdout


def test_a_folder_that_is_not_there_is_refused(tmp_path, run_pytest):
    (tmp_path / "test_inner.py").write_text(PARAMETRIZED)
    for option in ("--edgekd-artifacts", "--edgekd-baseline"):
        done = run_pytest(tmp_path, option, "basline")
        assert done.returncode == pytest.ExitCode.USAGE_ERROR
        assert f"{option}: basline is no folder" in done.stderr


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
