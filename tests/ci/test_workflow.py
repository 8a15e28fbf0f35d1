"""The workflow in the docs, step by step, in a repository as the docs describe it."""

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml
from planted import copy_artifact, plant_slowdown

DOCS = Path(__file__).parents[2] / "docs" / "ci"
STEPS = yaml.safe_load((DOCS / "edgekd.yml").read_text(encoding="utf-8"))["jobs"]["latency"]["steps"]


def git(folder: Path, *words: str) -> None:
    named = ("-c", "user.name=ci", "-c", "user.email=ci@example.org")
    subprocess.run(["git", *named, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(artifact, texts, tmp_path):
    """A clone whose branch has a slower artifact than main, which its remote has."""
    main = tmp_path / "main"
    copy_artifact(artifact, main / "artifacts" / "lambda-x86" / "static")
    (main / "latency").mkdir()
    shutil.copy(DOCS / "test_latency.py", main / "latency")
    lines = [" ".join(text.split()) for text in texts]
    (main / "latency" / "texts.txt").write_text("\n".join(filter(None, lines)), encoding="utf-8")
    git(main, "init", "-q", "-b", "main")
    git(main, "add", ".")
    git(main, "commit", "-q", "-m", "What is deployed")
    git(tmp_path, "clone", "-q", "main", "clone")
    shutil.rmtree(tmp_path / "clone" / "artifacts")
    plant_slowdown(artifact, tmp_path / "clone" / "artifacts" / "lambda-x86" / "static", 0.5)
    return tmp_path / "clone"


def run_steps(repository: Path, event: str) -> tuple[int, str]:
    """Run the shell steps of the job as the server does; an installed edgekd is there already."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "COV"))}
    env |= {"P95_MS": "500", "MEMORY_MIB": "4000", "GITHUB_BASE_REF": "main"}
    env |= {"GITHUB_STEP_SUMMARY": str(repository.parent / "summary.md"), "COLUMNS": "300"}
    env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
    code, said = 0, ""
    for step in STEPS:
        condition = step.get("if", "")
        is_skipped = ("pull_request" in condition and event != "pull_request") or (code and not condition)
        if "run" not in step or step["name"] == "Install" or is_skipped:
            continue
        words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        done = subprocess.run(words, cwd=repository, env=env, capture_output=True, text=True, timeout=300)
        code, said = code or done.returncode, said + done.stdout + done.stderr
    return code, said


@pytest.mark.long
def test_a_slower_artifact_fails_a_pull_request_and_a_push_has_limits_alone(repository):
    code, said = run_steps(repository, "pull_request")
    assert code == 1 and "slower: p50 +" in said, said
    root = ET.parse(repository / "ci" / "junit.xml").getroot()
    kinds = {case.get("name"): [child.tag for child in case] for case in root.iter("testcase")}
    assert kinds["p50"] == ["failure"] and kinds["p95_ms"] == kinds["peak_rss_mib"] == []
    assert "Latency: 1 slower of 1" in (repository.parent / "summary.md").read_text(encoding="utf-8")
    shutil.rmtree(repository / "base")
    code, said = run_steps(repository, "push")
    assert code == 0 and "no baseline: p50 " in said, said


def test_what_the_workflow_installs_is_what_the_wheel_is_called():
    install = next(step["run"] for step in STEPS if step.get("name") == "Install")
    assert "wheels/edgekd-*.whl)[onnx,bench]" in install
    whole = (DOCS / "edgekd.yml").read_text(encoding="utf-8")
    assert "edgekd run" not in whole and "edgekd gate" not in whole, "nothing is trained in CI"
