"""The command line: verbs without logic; one line and an exit code for every error."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import tempfile
import traceback

import click

from edgekd import __version__
from edgekd.cli import stages, things
from edgekd.cli.bench import bench
from edgekd.cli.claims import claims
from edgekd.cli.health import health
from edgekd.cli.ledger import ledger
from edgekd.cli.logs import logs
from edgekd.cli.plan import plan
from edgekd.cli.promote import promote, rollback
from edgekd.cli.refresh import refresh
from edgekd.cli.review import review
from edgekd.cli.shadow import shadow
from edgekd.cli.size import size
from edgekd.errors import EdgekdError, MachineError

_LONGEST = 1200


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="edgekd")
def cli() -> None:
    """Distil, compile, measure, gate and promote small language models per hardware target."""


for _verb in (
    *(stages.run, stages.check, stages.label, stages.distill, stages.evaluate, stages.gate, stages.report),
    *(things.compile_what, bench, things.bundle, things.publish, things.predict, things.diagnose),
    *(things.show, things.doctor, size, refresh, claims, review, plan, ledger, promote, rollback),
    *(logs, shadow, health),
):
    cli.add_command(_verb)


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
    except BrokenPipeError:  # who reads what is printed has read enough, as in `edgekd ... | head`
        _drop_stdout()
        sys.exit(1)
    except Exception as error:  # noqa: BLE001  the last resort: a defect of ours is one line, too
        from edgekd.cli.faults import explain_fault

        known = explain_fault(error)
        if known is None:
            known = MachineError(_report_defect(error))
        _fail(" ".join(str(known).split()), known.exit_code)


def _report_defect(error: Exception) -> str:
    """Keep an error's traceback in a file, where there is room for one, and say where."""
    words = f"a defect in edgekd: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
    try:
        with tempfile.NamedTemporaryFile("w", prefix="edgekd-", suffix=".txt", delete=False) as file:
            traceback.print_exception(error, file=file)
    except OSError:
        return f"{words}; please report it"
    return f"{words}; please report {file.name}"


def _fail(message: str, code: int) -> None:
    if len(message) > _LONGEST:  # some name in it is what is wrong
        message = f"{message[: _LONGEST // 2]} ... {message[-_LONGEST // 2 :]}"
    click.echo(f"edgekd: {message}", err=True)
    try:
        if "--json" in sys.argv:
            click.echo(json.dumps({"error": message, "exit_code": code}))
        sys.stdout.flush()
    except OSError:
        _drop_stdout()
    sys.exit(code)


def _drop_stdout() -> None:
    """Have what could not be printed go nowhere: Python would try again at its end, and say so."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
