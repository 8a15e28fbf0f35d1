"""What README.md and docs/ say can be done: the verbs, options, files and make targets are there."""

import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest

from edgekd.cli.main import cli

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *(ROOT / name for name in ("ARCHITECTURE.md", "CONTRIBUTING.md") if (ROOT / name).exists()),
]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`(edgekd [^`\n]+)`(?!`)")
_FOLDERS = ("bench", "docs", "edgekd", "models", "targets", "tests")
_PATH = re.compile(rf"(?<![\w./-])(?:{'|'.join(_FOLDERS)})/[\w./-]*\w|\b[A-Z]+\.md\b")


def tracked() -> list[str]:
    done = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=True)
    return done.stdout.splitlines()


def verbs(command: click.Command = cli, name: str = "") -> dict[str, click.Command]:
    """Name every verb that does something, with its group's name before it."""
    if not isinstance(command, click.Group):
        return {name: command}
    found = {}
    for part, inner in command.commands.items():
        found |= verbs(inner, f"{name} {part}".strip())
    return found


def commands(program: str, pages: list[Path]) -> list[tuple[Path, list[str]]]:
    """List the words of every line in a shell block that calls `program`."""
    found = []
    for page in pages:
        for language, block in _FENCE.findall(page.read_text(encoding="utf-8")):
            if language not in ("sh", "bash", "shell", "console"):
                continue
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line.removeprefix("$ "), comments=True)
                while (
                    words and re.fullmatch(r"\w+=.*|time|\S*/bin/\S+", words[0]) and program not in words[0]
                ):
                    words = words[1:]
                if words and words[0].rpartition("/")[2] == program:
                    found.append((page, words[1:]))
    return found


def inline_commands(pages: list[Path]) -> list[tuple[Path, list[str]]]:
    """List the words of every `edgekd ...` within a sentence or a table."""
    spans = [(page, span) for page in pages for span in _INLINE.findall(page.read_text(encoding="utf-8"))]
    return [(page, shlex.split(span)[1:]) for page, span in spans]


EDGEKD = [*commands("edgekd", PAGES), *inline_commands(PAGES)]
MAKE = commands("make", PAGES)


@pytest.mark.parametrize("verb", verbs())
def test_every_verb_is_told_of(verb):
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert re.search(rf"\bedgekd {verb}\b", text), f"no page says what `edgekd {verb}` does"


def test_readme_shows_commands():
    assert [words for page, words in EDGEKD if page.name == "README.md"]
    assert ["demo"] in [words for page, words in MAKE if page.name == "README.md"]


@pytest.mark.parametrize(("page", "words"), EDGEKD, ids=[" ".join(words) for _, words in EDGEKD])
def test_command_of_a_page_parses(page, words):
    command: click.Command = cli
    context = click.Context(cli, info_name="edgekd")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name, inner, words = command.resolve_command(context, words)
        assert inner is not None
        command, context = inner, click.Context(inner, info_name=name, parent=context)
    if {"-h", "--help", "--version"} & set(words):
        return
    assert not isinstance(command, click.Group), "a verb is missing"
    with context:
        command.parse_args(context, list(words))


def test_a_command_that_is_not_there_would_be_seen():
    for words in (["rnu", "x.yaml"], ["run", "--fast"], ["show", "recipes"], ["ledger"]):
        with pytest.raises((click.UsageError, AssertionError)):
            test_command_of_a_page_parses(ROOT / "README.md", words)


@pytest.mark.parametrize(("page", "words"), MAKE, ids=[" ".join(words) for _, words in MAKE])
def test_make_target_of_a_page_exists(page, words):
    rules = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert words and not {word for word in words if "=" not in word} - set(rules)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_files_of_a_page_exist(page):
    text = page.read_text(encoding="utf-8")
    named = {path for path in _PATH.findall(text) if not re.search(r"NAME|\.edgekd|<|\*", path)}
    links = {link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link}
    missing = [path for path in named if not (ROOT / path).exists() and not is_module(path)]
    missing += [link for link in links if not (page.parent / link).exists()]
    assert not missing, f"{page.name} names what is not there"


def is_module(path: str) -> bool:
    """A module may be named without its ending, and a name before a bracket or star is cut."""
    return bool(list((ROOT / path).parent.glob(f"{Path(path).name}*")))


def test_no_file_is_over_a_mebibyte():
    big = [path for path in tracked() if (ROOT / path).is_file() and (ROOT / path).stat().st_size > 2**20]
    assert not big
