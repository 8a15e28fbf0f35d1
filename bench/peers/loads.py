"""Our OpenVINO artifacts in Optimum, by its usual calls, against their own loader.

    edgekd run bench/studies/clinc150.yaml    # makes the artifacts
    python bench/peers/loads.py               # Optimum's environment is made first

Optimum wants other versions of some libraries than we do, so it runs in its own environment.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

TEXTS, BATCH = 300, 8
VARIANTS = ("cut-2l.openvino.int8-nncf", "cut-2l.openvino.fp32")


def main() -> None:
    """Compare labels of padded batches in Optimum with those of single texts here."""
    import numpy as np
    from environments import make_environments
    from lineup import ENVIRONMENTS

    sys.path.append(str(Path(__file__).resolve().parents[1]))
    from studied import find_artifact, validation_texts

    from edgekd.serving import load

    make_environments(("openvino",))
    texts = validation_texts()[::7][:TEXTS]
    for variant in VARIANTS:
        artifact = find_artifact(variant, target="intel-openvino")
        done = subprocess.run(
            [str(ENVIRONMENTS / "openvino" / "bin" / "python"), __file__, str(artifact)],
            input=json.dumps(texts),
            capture_output=True,
            text=True,
            check=True,
        )
        there = np.array(json.loads(done.stdout.splitlines()[-1]), np.float32)
        here = load(artifact).outputs(texts)
        alike = int((here.argmax(1) == there.argmax(1)).sum())
        worst = float(np.abs(here - there).max())
        print(f"{variant}: {alike} of {len(texts)} labels alike, logits within {worst:.2g}")


def answer(folder: str) -> None:
    """Answer the texts on stdin in padded batches; in Optimum's environment."""
    from optimum.intel import OVModelForSequenceClassification  # type: ignore[import-not-found]
    from transformers import AutoTokenizer

    texts = json.load(sys.stdin)
    hint = {"INFERENCE_PRECISION_HINT": "f32"}
    model = OVModelForSequenceClassification.from_pretrained(folder, ov_config=hint)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    logits: list[list[float]] = []
    for start in range(0, len(texts), BATCH):
        given = tokenizer(texts[start : start + BATCH], padding=True, truncation=True, return_tensors="pt")
        logits += model(**given).logits.tolist()
    print(json.dumps(logits))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        answer(sys.argv[1])
    else:
        main()
