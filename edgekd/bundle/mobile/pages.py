"""The programs and pages of a bundle, for its runtime."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from edgekd.bundle.mobile.settings import find_version
from edgekd.compile import Artifact

_HERE = Path(__file__).parent
_PROGRAMS = ("reference", "android", "ios")


def write_pages(artifact: Artifact, folder: Path) -> None:
    """Copy the programs and write a page a platform, which shows the calls out of the files beside it.

    What names another runtime stays behind; what names this one loses the name: `Classifier.litert.kt`
    becomes `Classifier.kt` in a LiteRT bundle.
    """
    for name in _PROGRAMS:
        (folder / name).mkdir()
        for path in sorted((_HERE / name).iterdir()):
            stem, *runtime, ending = path.name.split(".")
            if not runtime or runtime == [artifact.runtime]:
                shutil.copyfile(path, folder / name / f"{stem}.{ending}")
    values = {"version": find_version(artifact.runtime), "model": artifact.manifest["model"]}
    for path in sorted(_HERE.glob(f"*.{artifact.runtime}.md")):
        text = path.read_text(encoding="utf-8")
        for key, value in values.items():
            text = text.replace(f"{{{key}}}", value)
        text = re.sub(r"^\{\{(.+)\}\}\n", lambda found: _read(folder, found[1]), text, flags=re.MULTILINE)
        (folder / f"{path.name.partition('.')[0]}.md").write_text(text, encoding="utf-8", newline="\n")


def _read(folder: Path, name: str) -> str:
    return (folder / name).read_text(encoding="utf-8")
