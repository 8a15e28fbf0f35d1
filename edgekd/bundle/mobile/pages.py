"""The programs and pages of a bundle, for its runtime."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from textwrap import fill

from edgekd.bundle.deciding import NOT_RUN, describe_bias, describe_policy
from edgekd.bundle.mobile.settings import find_version
from edgekd.compile import Artifact
from edgekd.serving.calibrate import read_calibration

_HERE = Path(__file__).parent
_PROGRAMS = ("reference", "android", "ios")
KIND = "mobile"


def write_pages(artifact: Artifact, folder: Path, changed: int) -> None:
    """Copy the programs and write a page per platform, which shows the calls out of the files beside it.

    `changed` is how many golden texts there are whose label the bias decides.

    What names another runtime stays behind; what names this one loses the name: `Classifier.litert.kt`
    becomes `Classifier.kt` in a LiteRT bundle.
    """
    for name in _PROGRAMS:
        (folder / name).mkdir()
        for path in sorted((_HERE / name).iterdir()):
            stem, *runtime, ending = path.name.split(".")
            if not runtime or runtime == [artifact.runtime]:
                shutil.copyfile(path, folder / name / f"{stem}.{ending}")
    calibration = read_calibration(artifact.path / "calibration.json")
    values = {
        "version": find_version(artifact.runtime),
        "model": artifact.manifest["model"],
        "bias": _say_bias(calibration.bias, changed),
        "policy": f"{_fill(f'**{describe_policy(KIND, NOT_RUN)}**')}\n\n" if calibration.routing else "",
    }
    for path in sorted(_HERE.glob(f"*.{artifact.runtime}.md")):
        text = path.read_text(encoding="utf-8")
        for key, value in values.items():
            text = text.replace(f"{{{key}}}", value)
        text = re.sub(r"^\{\{(.+)\}\}\n", lambda found: _read(folder, found[1]), text, flags=re.MULTILINE)
        (folder / f"{path.name.partition('.')[0]}.md").write_text(text, encoding="utf-8", newline="\n")


def _say_bias(bias: Mapping[str, float], changed: int) -> str:
    """Say what the bias does and how many golden texts show it; empty where there is none."""
    said = describe_bias(bias)
    if not said:
        return ""
    shown = (
        f"{changed} of the golden texts have a label that the bias decides, so a port without it fails."
        if changed
        else "The bias decides the label of no text that was tried, so no golden text shows its effect."
    )
    return f"{_fill(f'{said} It stands in `model.txt` (`bias PLACE NUMBER`). {shown}')}\n\n"


def _fill(text: str) -> str:
    return fill(text, 115, break_on_hyphens=False, break_long_words=False)


def _read(folder: Path, name: str) -> str:
    return (folder / name).read_text(encoding="utf-8")
