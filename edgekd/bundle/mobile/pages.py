"""The programs and pages of a bundle, for its runtime."""

from __future__ import annotations

import shutil
from pathlib import Path

from edgekd.compile import Artifact

_HERE = Path(__file__).parent
_SHARED = ("reference", "android", "ios")


def write_pages(artifact: Artifact, folder: Path) -> None:
    """Copy the programs; what names another runtime stays behind, what names this one loses the name.

    `android/Classifier.litert.kt` becomes `android/Classifier.kt` in a LiteRT bundle.
    """
    for name in _SHARED:
        (folder / name).mkdir()
        for path in sorted((_HERE / name).iterdir()):
            stem, *runtime, ending = path.name.split(".")
            if not runtime or runtime == [artifact.runtime]:
                shutil.copyfile(path, folder / name / f"{stem}.{ending}")
    for path in sorted(_HERE.glob(f"*.{artifact.runtime}.md")):
        shutil.copyfile(path, folder / f"{path.name.partition('.')[0]}.md")
