"""Verbs on single things: an artifact, a bundle, a model from elsewhere, this machine."""

from __future__ import annotations

from pathlib import Path

import click

from edgekd.cli.forms import Given, form, is_folder, is_project_file, takes
from edgekd.cli.options import anyway_option
from edgekd.cli.options import project_argument as _project
from edgekd.cli.options import set_option as _set
from edgekd.cli.options import target_option as _target
from edgekd.cli.outcome import Outcome, tells


def _is_model(given: Given) -> bool:
    what = given["what"]
    return bool(what.is_dir() or what.suffix == ".onnx" or (what.is_file() and not is_project_file(what)))


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
    form("an artifact", "what targets texts out", is_folder),
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
