"""Compare an artifact with a baseline: another artifact, measured now, or a measurement that was kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgekd.ci.cases import limit_cases
from edgekd.ci.limits import holds
from edgekd.ci.line import comparison_line, judge
from edgekd.ci.write import write_ci_files
from edgekd.cli.bench_case import Case, limit_lines, open_device
from edgekd.cli.outcome import Outcome
from edgekd.compile import Artifact
from edgekd.errors import BadInputError
from edgekd.measure.bench_file import load_bench
from edgekd.measure.compare import COMPARE_PLAN
from edgekd.measure.stored import STORED_RULE, compare_with_stored
from edgekd.progress import show_progress
from edgekd.report import bench as words
from edgekd.single.bench import bench_artifact, compare_artifacts


def compare_both(case: Case, baseline: Artifact) -> Outcome:
    """Measure both in turn; the exit code is 1 unless the artifact is as fast and within its limits."""
    asked, plan = case.asked, replace(COMPARE_PLAN, threads=case.threads)
    with open_device(asked.on) as device, show_progress("compare") as progress:
        found = compare_artifacts(
            case.artifact,
            baseline,
            case.texts,
            asked.out,
            effect=asked.effect,
            plan=plan,
            progress=progress,
            device=device,
        )
        checks = case.check(found.result, device)
    write_ci_files([found], asked.out, cases=limit_cases(case.name, checks))
    lines = [comparison_line(found), *limit_lines(case, checks)]
    lines += [f"  ! {flag}" for flag in found.result.flags]
    lines += [f"  texts: {case.texts.source}; samples and summary.md, junit.xml, benchmark.json: {asked.out}"]
    document = {**words.comparison_document(found), "limits": [check.to_json() for check in checks]}
    return Outcome(tuple(lines), document, int(judge(found) != "passed" or not holds(checks)))


def compare_with_kept(case: Case, baseline: Path) -> Outcome:
    """Measure the artifact alone; the exit code is 1 unless it is as fast and within its limits.

    Raises:
        BadInputError: the results would replace the baseline, or it has other threads than the target.
    """
    asked, stored = case.asked, load_bench(baseline)
    if asked.out.resolve() == baseline.resolve():
        raise BadInputError(f"{asked.out}: would replace the baseline; give another folder with --out")
    if case.target is not None and case.threads != stored.plan.threads:
        raise BadInputError(
            f"{baseline}: was measured with {stored.plan.threads} thread(s), and target {case.target.name} "
            f"has {case.threads}; measure the baseline again with --target {case.target.name}"
        )
    with open_device(asked.on) as device, show_progress("bench") as progress:
        result = bench_artifact(case.artifact, case.texts, asked.out, stored.plan, progress, device)
        checks = case.check(result, device)
    changes = [compare_with_stored(result, stored, q) for q in (0.5, 0.95)]
    lines = [words.stored_line(changes, result, stored), *limit_lines(case, checks)]
    lines += [f"  ! {flag}" for flag in result.flags]
    verdict = changes[0].verdict
    documents = [words.stored_document(change) for change in changes]
    document = {"verdict": verdict, "changes": documents, "guard": STORED_RULE.guard}
    document["limits"] = [check.to_json() for check in checks]
    slower = "slower" in (change.verdict for change in changes)
    return Outcome(tuple(lines), document, int(slower or verdict == "too noisy" or not holds(checks)))
