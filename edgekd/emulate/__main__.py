"""Prepare the emulators: `python -m edgekd.emulate [FOLDER]`."""

from __future__ import annotations

import sys
from pathlib import Path

from edgekd.emulate.machine import default_folder
from edgekd.emulate.prepare import prepare
from edgekd.errors import EdgekdError


def main(arguments: list[str]) -> int:
    """Fill the folder and say where it is."""
    folder = Path(arguments[0]) if arguments else default_folder()
    try:
        prepare(folder.absolute())
    except EdgekdError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(f"emulators in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
