"""`edgekd bench`: a project, one artifact or a bundle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from edgekd.cli.forms import Given, form, is_folder, takes
from edgekd.cli.options import set_option as _set
from edgekd.cli.options import target_option as _target
from edgekd.cli.outcome import Outcome, tells

_LIMITS = "targets p95_ms memory_mib"


def _is_bundle(given: Given) -> bool:
    return bool((given["what"] / "bundle.json").exists())


def _has(name: str) -> Callable[[Given], bool]:
    """Fit an artifact's folder with an option."""
    return lambda given: is_folder(given) and bool(given[name])


def _has_kept(given: Given) -> bool:
    return _has("baseline")(given) and (given["baseline"] / "bench.json").is_file()


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
    form("an artifact", f"what texts out also {_LIMITS}", is_folder),
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
        from edgekd.cli.bench_case import Asked
        from edgekd.cli.benching import bench_or_compare

        if len(targets) > 1:
            raise click.UsageError("an artifact takes one --target at most, whose limits and price hold")
        limits = JobLimits(asked.pop("p95_ms"), asked.pop("memory_mib"))
        return bench_or_compare(Asked(what, **asked, target=next(iter(targets), None), limits=limits))
    from edgekd.cli.verbs import run_until

    return run_until(what, settings, targets, "bench")
