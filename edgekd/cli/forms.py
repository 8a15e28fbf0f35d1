"""The forms of a verb: which options it uses for what it was given. Every other option is refused.

A verb that takes a project or an artifact lists its forms in one table, `takes(...)`. A verb without a table
uses each of its options whatever it is given; `tests/cli/test_forms.py` holds both.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from edgekd.cli.outcome import Outcome
from edgekd.errors import BadInputError

Given = Mapping[str, Any]
"""Values of a verb's parameters, by name."""
Verb = Callable[..., Outcome]

_PROJECT_FILES = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Form:
    """One way to call a verb.

    Attributes:
        name: What the verb was given, in words: "a project", "an artifact with --count".
        uses: The parameters that it reads then, by their names.
        fits: Whether parameters are of this form; the first form of a verb that fits is taken.
    """

    name: str
    uses: frozenset[str]
    fits: Callable[[Given], bool] = lambda given: True


def form(name: str, uses: str, fits: Callable[[Given], bool] = lambda given: True) -> Form:
    """Write a form; `uses` holds names with spaces between."""
    return Form(name, frozenset(uses.split()), fits)


def is_folder(given: Given) -> bool:
    """Whether `what` is a folder: of an artifact or a bundle, as a project is a file."""
    return bool(given["what"].is_dir())


def is_project_file(path: Path) -> bool:
    """Whether a path is named as project files are."""
    return path.suffix in _PROJECT_FILES


def takes(*forms: Form, expects: str = "") -> Callable[[Verb], Verb]:
    """Give a verb its forms, and refuse each option that its form does not use.

    Args:
        forms: The last one fits always.
        expects: What the parameter `what` may be, in words, where it is a path: then one that is not there is
            refused, unless it is named as a project file is.
    """

    def mark(verb: Verb) -> Verb:
        @functools.wraps(verb)
        def checked(**given: Any) -> Outcome:
            if expects:
                _require(given["what"], expects)
            _refuse_unused(forms, given)
            return verb(**given)

        checked.forms = forms  # type: ignore[attr-defined]  # for the test that sweeps all verbs
        return checked

    return mark


def _require(path: Path, expected: str) -> None:
    if not path.exists() and not is_project_file(path):
        raise BadInputError(f"{path}: there is no such file or folder; give {expected}")


def _refuse_unused(forms: tuple[Form, ...], given: Given) -> None:
    context = click.get_current_context()
    mine = next(form for form in forms if form.fits(given))
    for parameter in context.command.params:
        name = str(parameter.name)
        if name not in given or name in mine.uses or not _was_given(context, name):
            continue
        *others, last = (form.name for form in forms if name in form.uses)
        known = f"{', '.join(others)} or {last}" if others else last
        raise click.UsageError(f"{mine.name} takes no {_call(parameter)}; it goes with {known}")


def _was_given(context: click.Context, name: str) -> bool:
    default = (click.core.ParameterSource.DEFAULT, click.core.ParameterSource.DEFAULT_MAP)
    return context.get_parameter_source(name) not in default


def _call(parameter: click.Parameter) -> str:
    return parameter.opts[0] if isinstance(parameter, click.Option) else str(parameter.name).upper()
