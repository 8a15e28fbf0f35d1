import json
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgekd.cli.main import main


@dataclass(frozen=True)
class Spoken:
    """What the command line said, in this process."""

    code: int
    stdout: str
    stderr: str

    @property
    def errors(self) -> list[str]:
        return [line for line in self.stderr.splitlines() if line.startswith("edgekd: ")]

    @property
    def document(self) -> dict:
        return json.loads(self.stdout)


@pytest.fixture
def speak(monkeypatch, capsys):
    """Run the command line in this process: as a subprocess would, without its start."""

    def call(*arguments: object) -> Spoken:
        capsys.readouterr()
        monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
        monkeypatch.setattr(sys, "argv", ["edgekd", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        out, err = capsys.readouterr()
        return Spoken(int(stop.value.code or 0), out, err)

    return call


@pytest.fixture(scope="session")
def texts(tmp_path_factory) -> Path:
    """A file of 200 texts."""
    import sample_students as samples

    path = tmp_path_factory.mktemp("texts") / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in samples.make_texts(200)))
    return path
