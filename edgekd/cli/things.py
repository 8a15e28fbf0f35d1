"""Verbs on single things: an artifact, a bundle, a model from elsewhere, this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgekd.cli.options import anyway_option
from edgekd.cli.options import project_argument as _project
from edgekd.cli.options import set_option as _set
from edgekd.cli.options import target_option as _target
from edgekd.cli.outcome import Outcome, tells


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
@tells
def bench(what: Path, settings: tuple[str, ...], targets: tuple[str, ...], **asked: Any) -> Outcome:
    """Measure every variant of a project, one artifact's folder, alone or against a baseline, or a bundle."""
    tiers_mib = asked.pop("memory")
    if (what / "bundle.json").exists():
        from edgekd.cli.bundling import bench_bundle

        if unfit := [name for name in ("baseline", "on", "also", "count") if asked[name]]:
            raise click.UsageError(f"--{unfit[0]} is for an artifact's folder; {what} is a bundle")
        return bench_bundle(what, asked["texts"], tiers_mib)
    if tiers_mib:
        raise click.UsageError(f"--memory is for a Lambda bundle; {what} is none")
    if (what / "manifest.json").exists() or what.is_dir():
        from edgekd.cli.benching import Asked, bench_or_compare

        if settings or len(targets) > 1:
            raise click.UsageError("an artifact takes no --set, and one --target at most (limit and price)")
        return bench_or_compare(Asked(what, **asked, target=next(iter(targets), None)))
    from edgekd.cli.verbs import run_until

    if unfit := [name for name in ("baseline", "texts", "on", "also", "count") if asked[name]]:
        raise click.UsageError(f"--{unfit[0]} is for an artifact's folder; {what} is not one")
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
def compile_what(
    what: Path,
    settings: tuple[str, ...],
    targets: tuple[str, ...],
    texts: Path | None,
    task: str | None,
    out: Path,
) -> Outcome:
    """Compile every variant of a project, or a MODEL from elsewhere: a Hugging Face folder or ONNX file."""
    if what.suffix == ".onnx" or what.is_dir():
        from edgekd.cli.compiling import compile_model

        if settings:
            raise click.UsageError("a model takes no --set")
        return compile_model(what, targets, texts, out, task)
    from edgekd.cli.verbs import run_until

    if texts is not None:
        raise click.UsageError(f"--texts is for a model; {what} is a project, which has texts")
    if task is not None:
        raise click.UsageError(f"--task is for a model; {what} is a project, which names its task")
    return run_until(what, settings, targets, "compile")


@click.command()
@click.argument("what", metavar="PROJECT|ARTIFACT", type=click.Path(path_type=Path), default="edgekd.yaml")
@_set
@_target
@click.option("--texts", type=click.Path(path_type=Path), help="Texts of golden answers, for an ARTIFACT.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder; a project's are bundles/ of its run.")
@anyway_option
@tells
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
        if settings:
            raise click.UsageError("an artifact takes no --set")
        if anyway:
            raise click.UsageError(f"--anyway is for a project, whose verdicts are known; {what} is none")
        return bundle_one(what, targets, texts, out)
    if texts is not None:
        raise click.UsageError(f"--texts is for an artifact's folder; {what} is a project, which has texts")
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
@click.argument("texts", nargs=-1, required=True)
@click.option(
    "--slice",
    "slices",
    multiple=True,
    metavar="NAME",
    help="A slice that these texts are known to be in, such as a language; repeatable.",
)
@click.option("--student-only", is_flag=True, help="Answer without the policy; the gate did not judge that.")
@tells
def predict(artifact: Path, texts: tuple[str, ...], slices: tuple[str, ...], student_only: bool) -> Outcome:
    """Answer texts with an artifact, by its routing policy where it has one: as it was judged."""
    from edgekd.cli.verbs import answer_texts

    return answer_texts(artifact, texts, slices, student_only)


@click.command()
@click.argument("run", metavar="RUN|PROJECT", type=click.Path(path_type=Path), default="edgekd.yaml")
@click.option("--loss", type=float, help="Share of the business lost for each 0.01 of quality.")
@tells
def diagnose(run: Path, loss: float | None) -> Outcome:
    """Read the training logs of a run, or of a project's newest one: findings, evidence, what to try next."""
    from edgekd.cli.diagnosing import diagnose_path

    return diagnose_path(run, loss)


@click.command()
@click.argument("what", type=click.Choice(["targets", "models", "schema", "runs"]))
@click.argument("project", type=click.Path(path_type=Path), default="edgekd.yaml")
@tells
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
