"""Answer texts from the command line: `python -m serving "where is my order?"` in the artifact."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from . import ServingError, load


def main(arguments: list[str]) -> int:
    """Print one JSON line a text: from the arguments, else one text a line of stdin."""
    try:
        model = load(Path(__file__).resolve().parent.parent)
        for text in arguments or map(str.rstrip, sys.stdin):
            answer = model(text)
            line = {"text": text, "label": answer.label, "probability": round(answer.probability, 6)}
            print(json.dumps(line, ensure_ascii=False), flush=True)
    except ServingError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
