"""Verbs on single things: an artifact, a bundle, a model from elsewhere, this machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from edgekd.cli.forms import Given, form, takes
from edgekd.cli.options import anyway_option
from edgekd.cli.options import project_argument as _project
from edgekd.cli.options import set_option as _set
from edgekd.cli.options import target_option as _target
from edgekd.cli.outcome import Outcome, tells


def _is_bundle(given: Given) -> bool:
    return bool((given["what"] / "bundle.json").exists())


def _is_folder(given: Given) -> bool:
    return bool(given["what"].is_dir())


def _is_model(given: Given) -> bool:
    return bool(given["what"].suffix == ".onnx" or given["what"].is_dir())


def _has(name: str) -> Callable[[Given], bool]:
    """Fit an artifact's folder with an option."""
    return lambda given: _is_folder(given) and bool(given[name])


def _has_kept(given: Given) -> bool:
    return _has("baseline")(given) and (given["baseline"] / "bench.json").is_file()


_LIMITS = "targets p95_ms memory_mib"


@click.command()
@click.argument(
    "what", metavar="PROJECT|ARTIFACT|BUNDLE", type=click.Path(path_type=Path), default="edgekd.yaml"
)
@_set
@_target
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    help="Compare with this artifact, measured now, or with a measurement that was kept. "
    "Exit code 1: slower, or too noisy to say.",
)
@click.option(
    "--texts", type=click.Path(path_type=Path), help="Texts to answer: .txt, or rows with a column text."
)
@click.option(
    "--out", type=click.Path(path_type=Path), default="edgekd-bench", help="Folder of samples and results."
)
@click.option("--on", metavar="ssh://HOST", help="Measure on another machine.")
@click.option(
    "--also",
    type=click.Choice(["offline", "server", "floor"]),
    multiple=True,
    help="Throughput; the highest request rate that holds a p95; the least memory.",
)
@click.option(
    "--memory", type=int, multiple=True, metavar="MIB", help="Of a Lambda bundle: only this tier; repeatable."
)
@click.option("--count", is_flag=True, help="Count instructions instead of time: slow, but steady.")
@click.option(
    "--effect", type=float, default=0.03, help="Smallest change of p50 that is to be found, as a share."
)
@click.option(
    "--p95-ms",
    type=float,
    metavar="MS",
    help="Exit code 1 unless an artifact's p95 is shown to be within this.",
)
@click.option(
    "--memory-mib",
    type=float,
    metavar="MIB",
    help="Exit code 1 where an artifact's peak memory is above this. A --target has limits of its own.",
)
@tells
@takes(
    form("a bundle", "what texts memory", _is_bundle),
    form("an artifact with --count", "what texts out baseline count", _has("count")),
    form("an artifact with a kept --baseline", f"what texts out baseline on {_LIMITS}", _has_kept),
    form("an artifact with --baseline", f"what texts out baseline on effect {_LIMITS}", _has("baseline")),
    form("an artifact with --on", f"what texts out on {_LIMITS}", _has("on")),
    form("an artifact", f"what texts out also {_LIMITS}", _is_folder),
    form("a project", "what settings targets"),
    expects="a project file (.yaml), an artifact's folder or a bundle",
)
def bench(what: Path, settings: tuple[str, ...], targets: tuple[str, ...], **asked: Any) -> Outcome:
    """Measure every variant of a project, one artifact's folder, alone or against a baseline, or a bundle."""
    tiers_mib = asked.pop("memory")
    if _is_bundle({"what": what}):
        from edgekd.cli.bundling import bench_bundle

        return bench_bundle(what, asked["texts"], tiers_mib)
    if what.is_dir():
        from edgekd.ci.limits import JobLimits
        from edgekd.cli.benching import Asked, bench_or_compare

        if len(targets) > 1:
            raise click.UsageError("an artifact takes one --target at most, whose limits and price hold")
        limits = JobLimits(asked.pop("p95_ms"), asked.pop("memory_mib"))
        return bench_or_compare(Asked(what, **asked, target=next(iter(targets), None), limits=limits))
    from edgekd.cli.verbs import run_until

    return run_until(what, settings, targets, "bench")


@click.command("compile")
@click.argument("what", metavar="PROJECT|MODEL", type=click.Path(path_type=Path), default="edgekd.yaml")
@_set
@_target
@click.option(
    "--texts", type=click.Path(path_type=Path), help="Texts like those it will answer, for a MODEL."
)
@click.option(
    "--task",
    metavar="NAME",
    help="What a MODEL is for, where its outputs leave that open: rerank, for scores of pairs.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default="edgekd-artifacts",
    help="Folder of a MODEL's artifacts.",
)
@tells
@takes(
    form("a model", "what targets texts task out", _is_model),
    form("a project", "what settings targets"),
    expects="a project file (.yaml), a model's folder or an .onnx file",
)
def compile_what(
    what: Path,
    settings: tuple[str, ...],
    targets: tuple[str, ...],
    texts: Path | None,
    task: str | None,
    out: Path,
) -> Outcome:
    """Compile every variant of a project, or a MODEL from elsewhere: a Hugging Face folder or ONNX file."""
    if _is_model({"what": what}):
        from edgekd.cli.compiling import compile_model

        return compile_model(what, targets, texts, out, task)
    from edgekd.cli.verbs import run_until

    return run_until(what, settings, targets, "compile")


@click.command()
@click.argument("what", metavar="PROJECT|ARTIFACT", type=click.Path(path_type=Path), default="edgekd.yaml")
@_set
@_target
@click.option("--texts", type=click.Path(path_type=Path), help="Texts of golden answers, for an ARTIFACT.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder; a project's are bundles/ of its run.")
@anyway_option
@tells
@takes(
    form("an artifact", "what targets texts out", _is_folder),
    form("a project", "what settings targets out anyway"),
    expects="a project file (.yaml) or an artifact's folder",
)
def bundle(
    what: Path,
    settings: tuple[str, ...],
    targets: tuple[str, ...],
    texts: Path | None,
    out: Path | None,
    anyway: bool,
) -> Outcome:
    """Make what each platform deploys from what is promoted, or from one ARTIFACT."""
    from edgekd.cli.bundling import bundle_one, bundle_project

    if what.is_dir():
        return bundle_one(what, targets, texts, out)
    return bundle_project(what, settings, targets, out, anyway)


@click.command()
@_project
@_set
@_target
@click.option(
    "--uri", metavar="URI", help="MLflow's server or database; unless given, its own settings hold."
)
@anyway_option
@tells
def publish(
    project: Path,
    settings: tuple[str, ...],
    targets: tuple[str, ...],
    uri: str | None,
    anyway: bool,
) -> Outcome:
    """Point MLflow's aliases, one a target, at what is promoted now."""
    from edgekd.cli.publishing import publish_project

    return publish_project(project, settings, targets, uri, anyway)


@click.command()
@click.argument("artifact", type=click.Path(path_type=Path))
@click.argument("texts", metavar="TEXTS|@FILE|-", nargs=-1, required=True)
@click.option(
    "--slice",
    "slices",
    multiple=True,
    metavar="NAME",
    help="A slice that these texts are known to be in, such as a language; repeatable.",
)
@click.option("--student-only", is_flag=True, help="Answer without the policy; the gate did not judge that.")
@tells
@takes(
    form("the student alone", "artifact texts student_only", lambda given: bool(given["student_only"])),
    form("an artifact with its policy", "artifact texts slices"),
)
def predict(artifact: Path, texts: tuple[str, ...], slices: tuple[str, ...], student_only: bool) -> Outcome:
    """Answer texts with an artifact, by its routing policy where it has one: as it was judged.

    Texts may also come from a file, @FILE, or from standard input, as -: one per line, or rows as .jsonl.
    """
    from edgekd.cli.predicting import answer_texts

    return answer_texts(artifact, texts, slices, student_only)


@click.command()
@click.argument("what", metavar="RUN|PROJECT|LOG", type=click.Path(path_type=Path), default="edgekd.yaml")
@click.option("--loss", type=float, help="Share of the business lost for each 0.01 of quality.")
@tells
@takes(
    form("a log", "what", lambda given: given["what"].suffix == ".jsonl"),
    form("a run", "what loss"),
    expects="a run's folder, a project file (.yaml) or a log (.jsonl)",
)
def diagnose(what: Path, loss: float | None) -> Outcome:
    """Read the training logs of a run, or of a project's newest one: findings, evidence, what to try next."""
    from edgekd.cli.diagnosing import diagnose_path

    return diagnose_path(what, loss)


@click.command()
@click.argument("what", type=click.Choice(["targets", "models", "schema", "runs"]))
@click.argument("project", type=click.Path(path_type=Path), default="edgekd.yaml")
@tells
@takes(
    form("a list of runs", "what project", lambda given: given["what"] == "runs"),
    form("a list that is the same for all projects", "what"),
)
def show(what: str, project: Path) -> Outcome:
    """List targets, models or runs, or print the project file's JSON Schema."""
    from edgekd.cli.showing import show_what

    return show_what(what, project)


@click.command()
@tells
def doctor() -> Outcome:
    """Say what this machine and installation can do, and what to install for the rest."""
    from edgekd.cli.examining import examine

    return examine()
