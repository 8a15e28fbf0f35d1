"""The card's YAML head, as the Hugging Face hub reads it."""

from __future__ import annotations

import re
from typing import Any

import yaml

from edgekd.bundle.card.facts import Facts

_LIBRARIES = {"onnxruntime": "onnx", "openvino": "openvino", "litert": "litert", "aotinductor": "pytorch"}


def write_front(facts: Facts) -> str:
    """Write licence, task, tags and measured metrics between two lines of dashes.

    A licence that nobody stated is `unknown`; the hub takes identifiers in lower case, and `other` with a
    name.
    """
    artifact = facts.artifact
    document: dict[str, Any] = {
        **_licence(facts.origin.weights_licence),
        "pipeline_tag": facts.words.hub_task,
        "tags": list(
            dict.fromkeys(
                [
                    facts.words.hub_task,
                    "knowledge-distillation",
                    "edgekd",
                    *([_LIBRARIES[artifact.runtime]] if artifact.runtime in _LIBRARIES else []),
                    artifact.recipe,
                    facts.target.name,
                ]
            )
        ),
    }
    results = _results(facts)
    if results:
        document["metrics"] = sorted({entry["type"] for entry in results})
        origin = facts.origin
        name, data = artifact.student, origin.judged or origin.data or origin.project or "test rows"
        document["model-index"] = [
            {
                "name": name,
                "results": [
                    {
                        "task": {"type": facts.words.hub_task},
                        "dataset": {"name": data, "type": data, "split": "test"},
                        "metrics": results,
                    }
                ],
            }
        ]
    return f"---\n{yaml.safe_dump(document, sort_keys=False, allow_unicode=True)}---\n"


def _licence(stated: str) -> dict[str, str]:
    if not stated:
        return {"license": "unknown"}
    if re.fullmatch(r"[A-Za-z0-9.+-]+", stated):
        return {"license": stated.lower()}
    return {"license": "other", "license_name": stated}


def _results(facts: Facts) -> list[dict[str, Any]]:
    """List each slice's measured value, as it was judged; the slice's name is part of the metric's."""
    routed = ", with the teacher" if facts.routing is not None else ""
    return [
        {
            "type": result.metric,
            "name": f"{result.metric} ({result.name}{routed})",
            "value": round(result.value.estimate, 6),
        }
        for result in facts.judged
        if result.value is not None
    ]
