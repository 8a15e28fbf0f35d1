"""The command line: verbs without logic; one line and an exit code for every error."""

from __future__ import annotations

import errno
import json
import logging
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from edgekd import __version__
from edgekd.cli.ledger import ledger
from edgekd.cli.options import anyway_option
from edgekd.cli.options import as_json_option as _json
from edgekd.cli.options import project_argument as _project
from edgekd.cli.options import set_option as _set
from edgekd.cli.options import target_option as _target
from edgekd.cli.outcome import finish
from edgekd.cli.plan import plan
from edgekd.cli.promote import promote, rollback
from edgekd.errors import EdgekdError

_F = TypeVar("_F", bound=Callable[..., Any])

_AGAIN = "; finished steps are kept, run again when it is mended"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="edgekd")
def cli() -> None:
    """Distil, compile, measure, gate and promote small language models per hardware target."""


def _stage(name: str, until: str, words: str) -> None:
    @cli.command(name, help=words)
    @_project
    @_set
    @_target
    @_json
    def verb(project: Path, settings: tuple[str, ...], targets: tuple[str, ...], as_json: bool) -> None:
        from edgekd.cli.verbs import run_until

        finish(run_until(project, settings, targets, until), as_json)


@cli.command()
@_project
@_set
@_target
@click.option(
    "--plan", "is_plan", is_flag=True, help="Only list the steps: cached, to run, and decided later."
)
@_json
def run(
    project: Path, settings: tuple[str, ...], targets: tuple[str, ...], is_plan: bool, as_json: bool
) -> None:
    """Do everything, from the teacher to promoted variants and the report."""
    from edgekd.cli.verbs import plan_steps, run_until

    if is_plan:
        finish(plan_steps(project, settings, targets), as_json)
    finish(run_until(project, settings, targets, "report"), as_json)


_stage("distill", "distill", "Go on until every student is distilled.")
_stage("report", "report", "Write the report; what it needs and is not there is made first.")


@cli.command()
@_project
@_set
@_json
def check(project: Path, settings: tuple[str, ...], as_json: bool) -> None:
    """Say what the rows can prove, slice by slice, and what a run would train; trains nothing.

    Exit code 1: a slice with tier "prove" cannot be proven with these rows.
    """
    from edgekd.cli.checking import check_project

    finish(check_project(project, settings), as_json)


@cli.command()
@_project
@_set
@_target
@click.option(
    "--shadow",
    type=click.Path(path_type=Path),
    help="Compare logged rows instead: student, incumbent and teacher on real traffic; needs one --target.",
)
@_json
def evaluate(
    project: Path, settings: tuple[str, ...], targets: tuple[str, ...], shadow: Path | None, as_json: bool
) -> None:
    """Go on until every variant is judged on every slice."""
    from edgekd.cli.verbs import compare_traffic, run_until

    if shadow is None:
        finish(run_until(project, settings, targets, "evaluate"), as_json)
    if len(targets) != 1:
        raise click.UsageError("--shadow needs one --target: whose promoted variant is compared")
    finish(compare_traffic(project, settings, targets[0], shadow), as_json)


@cli.command()
@_project
@_set
@_target
@click.option(
    "--live",
    type=click.Path(path_type=Path),
    help="Judge counts of live traffic instead, and roll --target back where they show harm.",
)
@_json
def gate(
    project: Path, settings: tuple[str, ...], targets: tuple[str, ...], live: Path | None, as_json: bool
) -> None:
    """Go on until every target has a verdict; promote nothing."""
    from edgekd.cli.promotions import judge_live
    from edgekd.cli.verbs import run_until

    if live is None:
        finish(run_until(project, settings, targets, "gate"), as_json)
    if len(targets) != 1:
        raise click.UsageError("--live needs one --target: what is rolled back where it does harm")
    finish(judge_live(project, settings, targets[0], live), as_json)


@cli.command()
@_project
@_set
@_target
@click.option(
    "--shard",
    metavar="I/N",
    help="Only this share of the texts, as 2/4: the second of four. Run the shares anywhere, at once or not; "
    "edgekd label without --shard finishes what is missing.",
)
@_json
def label(
    project: Path, settings: tuple[str, ...], targets: tuple[str, ...], shard: str | None, as_json: bool
) -> None:
    """Train the teacher and label every text that students learn from."""
    from edgekd.cli.verbs import label_share, run_until

    if shard is not None:
        finish(label_share(project, settings, shard), as_json)
    finish(run_until(project, settings, targets, "label"), as_json)


@cli.command()
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
@_json
def bench(
    what: Path, settings: tuple[str, ...], targets: tuple[str, ...], as_json: bool, **asked: Any
) -> None:
    """Measure every variant of a project, one artifact's folder, alone or against a baseline, or a bundle."""
    tiers_mib = asked.pop("memory")
    if (what / "bundle.json").exists():
        from edgekd.cli.bundling import bench_bundle

        if unfit := [name for name in ("baseline", "on", "also", "count") if asked[name]]:
            raise click.UsageError(f"--{unfit[0]} is for an artifact's folder; {what} is a bundle")
        finish(bench_bundle(what, asked["texts"], tiers_mib), as_json)
    if tiers_mib:
        raise click.UsageError(f"--memory is for a Lambda bundle; {what} is none")
    if (what / "manifest.json").exists() or what.is_dir():
        from edgekd.cli.benching import Asked, bench_or_compare

        if settings or len(targets) > 1:
            raise click.UsageError("an artifact takes no --set, and one --target at most (limit and price)")
        finish(bench_or_compare(Asked(what, **asked, target=next(iter(targets), None))), as_json)
    from edgekd.cli.verbs import run_until

    if unfit := [name for name in ("baseline", "texts", "on", "also", "count") if asked[name]]:
        raise click.UsageError(f"--{unfit[0]} is for an artifact's folder; {what} is not one")
    finish(run_until(what, settings, targets, "bench"), as_json)


@cli.command("compile")
@click.argument("what", metavar="PROJECT|MODEL", type=click.Path(path_type=Path), default="edgekd.yaml")
@_set
@_target
@click.option(
    "--texts", type=click.Path(path_type=Path), help="Texts like those it will answer, for a MODEL."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default="edgekd-artifacts",
    help="Folder of a MODEL's artifacts.",
)
@_json
def compile_what(
    what: Path,
    settings: tuple[str, ...],
    targets: tuple[str, ...],
    texts: Path | None,
    out: Path,
    as_json: bool,
) -> None:
    """Compile every variant of a project, or a MODEL from elsewhere: a Hugging Face folder or ONNX file."""
    if what.suffix == ".onnx" or what.is_dir():
        from edgekd.cli.compiling import compile_model

        if settings:
            raise click.UsageError("a model takes no --set")
        finish(compile_model(what, targets, texts, out), as_json)
    from edgekd.cli.verbs import run_until

    if texts is not None:
        raise click.UsageError(f"--texts is for a model; {what} is a project, which has texts")
    finish(run_until(what, settings, targets, "compile"), as_json)


@cli.command()
@click.argument("what", metavar="PROJECT|ARTIFACT", type=click.Path(path_type=Path), default="edgekd.yaml")
@_set
@_target
@click.option("--texts", type=click.Path(path_type=Path), help="Texts of golden answers, for an ARTIFACT.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder; a project's are bundles/ of its run.")
@anyway_option
@_json
def bundle(
    what: Path,
    settings: tuple[str, ...],
    targets: tuple[str, ...],
    texts: Path | None,
    out: Path | None,
    anyway: bool,
    as_json: bool,
) -> None:
    """Make what each platform deploys from what is promoted, or from one ARTIFACT."""
    from edgekd.cli.bundling import bundle_one, bundle_project

    if what.is_dir():
        if settings:
            raise click.UsageError("an artifact takes no --set")
        if anyway:
            raise click.UsageError(f"--anyway is for a project, whose verdicts are known; {what} is none")
        finish(bundle_one(what, targets, texts, out), as_json)
    if texts is not None:
        raise click.UsageError(f"--texts is for an artifact's folder; {what} is a project, which has texts")
    finish(bundle_project(what, settings, targets, out, anyway), as_json)


@cli.command()
@_project
@_set
@_target
@click.option(
    "--uri", metavar="URI", help="MLflow's server or database; unless given, its own settings hold."
)
@anyway_option
@_json
def publish(
    project: Path,
    settings: tuple[str, ...],
    targets: tuple[str, ...],
    uri: str | None,
    anyway: bool,
    as_json: bool,
) -> None:
    """Point MLflow's aliases, one a target, at what is promoted now."""
    from edgekd.cli.publishing import publish_project

    finish(publish_project(project, settings, targets, uri, anyway), as_json)


@cli.command()
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
@_json
def predict(
    artifact: Path, texts: tuple[str, ...], slices: tuple[str, ...], student_only: bool, as_json: bool
) -> None:
    """Answer texts with an artifact, by its routing policy where it has one: as it was judged."""
    from edgekd.cli.verbs import answer_texts

    finish(answer_texts(artifact, texts, slices, student_only), as_json)


@cli.command()
@click.argument("run", metavar="RUN|PROJECT", type=click.Path(path_type=Path), default="edgekd.yaml")
@_json
def diagnose(run: Path, as_json: bool) -> None:
    """Read the training logs of a run, or of a project's newest one: findings, evidence, what to try next."""
    from edgekd.cli.diagnosing import diagnose_path

    finish(diagnose_path(run), as_json)


@cli.command()
@click.argument("what", type=click.Choice(["targets", "models", "schema", "runs"]))
@click.argument("project", type=click.Path(path_type=Path), default="edgekd.yaml")
@_json
def show(what: str, project: Path, as_json: bool) -> None:
    """List targets, models or runs, or print the project file's JSON Schema."""
    from edgekd.cli.showing import show_what

    finish(show_what(what, project), as_json)


@cli.command()
@_json
def doctor(as_json: bool) -> None:
    """Say what this machine and installation can do, and what to install for the rest."""
    from edgekd.cli.examining import examine

    finish(examine(), as_json)


cli.add_command(plan)
cli.add_command(ledger)
cli.add_command(promote)
cli.add_command(rollback)


def main() -> None:
    """Run the command line; every error is one line on stderr, and a JSON document with --json."""
    # Threads of one training step wait for one another. Left to spin for good, one busy neighbour made
    # training 30 times slower on two cores; put to sleep at once (OMP_WAIT_POLICY=passive) they are 1.7 times
    # slower on a quiet machine. So they turn a while, then sleep. Read when torch loads; changes no result.
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    # transformers imports torchao wherever it is installed (LiteRT's converter needs it), and complains
    # of GPU code that cannot be loaded.
    for name in ("torchao", "torch.utils._pytree"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        _fail(" ".join(error.format_message().split()), 2)
    except EdgekdError as error:
        _fail(" ".join(str(error).split()), error.exit_code)
    except (KeyboardInterrupt, click.exceptions.Abort):
        _fail("stopped; the next run goes on from the last finished step", 130)
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        _fail(f"{name}{error.strerror or error}{_AGAIN}", 1)
    except Exception as error:  # noqa: BLE001  the last resort: a defect of ours is one line, too
        if os.strerror(errno.ENOSPC) in str(error):  # safetensors has an error of its own for a full disk
            _fail(f"{' '.join(str(error).split())}{_AGAIN}", 1)
        with tempfile.NamedTemporaryFile("w", prefix="edgekd-", suffix=".txt", delete=False) as file:
            traceback.print_exc(file=file)
        words = " ".join(str(error).split())[:200]
        _fail(f"a defect in edgekd: {type(error).__name__}: {words}; please report {file.name}", 1)


def _fail(message: str, code: int) -> None:
    click.echo(f"edgekd: {message}", err=True)
    if "--json" in sys.argv:
        click.echo(json.dumps({"error": message, "exit_code": code}))
    sys.exit(code)
