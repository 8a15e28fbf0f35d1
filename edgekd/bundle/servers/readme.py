"""What a bundle's README says of any server."""

from __future__ import annotations

import json
from collections.abc import Sequence
from textwrap import fill
from typing import Any

from edgekd.bundle.deciding import describe_bias, describe_policy
from edgekd.bundle.servers.ranking import describe_client as describe_ranking_client
from edgekd.bundle.servers.ranking import describe_order
from edgekd.bundle.servers.served import Served
from edgekd.serving.calibrate import read_calibration

_SCORED = (
    "The server gives one number for a text. The answer is its sigmoid, 1 / (1 + exp(-number)): a score from "
    "0 to 1. `client.py` makes it, with the code that was judged, in `serving/`."
)


_TAGGED = (
    "The server gives logits, which `labels.txt` names. The probability of each label is the sigmoid of its "
    "own logit, 1 / (1 + exp(-logit)), and the answer is every label whose logit is 0 or more: several, or "
    "none. `client.py` makes it, with the code that was judged, in `serving/`."
)


def describe_request(served: Served, inputs: Sequence[str]) -> str:
    """Show a request and the response to it, with the artifact's own logits."""
    row, output = served.example, served.manifest["output"]["name"]
    request = {
        "inputs": [
            {
                "name": name,
                "shape": [1, len(row.ids)],
                "datatype": "INT64",
                "data": row.ids if name == inputs[0] else [1] * len(row.ids),
            }
            for name in inputs
        ],
        "outputs": [{"name": output}],
    }
    answer: dict[str, Any] = {
        "model_name": served.name,
        "model_version": "1",
        "outputs": [
            {"name": output, "datatype": "FP32", "shape": [1, len(row.outputs)], "data": row.outputs},
        ],
    }
    return f"""\
## A request
{row.said}

```sh
curl -s http://127.0.0.1:8000/v2/models/{served.name}/infer -d '{json.dumps(request)}'
```

The artifact, asked when this bundle was made, answers:

```json
{json.dumps(answer)}
```

"""


def describe_answer(served: Served, policy: str) -> str:
    """Say how logits become an answer, and who runs the artifact's routing policy."""
    if served.ranks:
        return "## From outputs to an order\n" + "".join(
            f"{_fill(part)}\n\n" for part in describe_order(served)
        )
    if served.artifact.head.name != "classify":
        said = _TAGGED if served.artifact.head.labels else _SCORED
        return f"## From logits to an answer\n{_fill(said)}\n\n"
    known = read_calibration(served.artifact.path / "calibration.json")
    parts = [
        "The server gives logits, which `labels.txt` names. `client.py` makes the answer of them, with "
        "`calibration.json` and the code that was judged, in `serving/`. A probability is "
        f"softmax(logits / {known.temperature:g})."
    ]
    if bias := describe_bias(known.bias):
        parts.append(
            f"{bias} So the label is that of the largest logit / {known.temperature:g} + bias. A client that "
            "takes the largest logit answers otherwise, and so does a server that is asked for a class "
            f"itself: {served.changed} of the golden texts have a label that the bias decides."
        )
    else:
        parts.append("The label is that of the largest logit.")
    if known.routing:
        parts.append(f"**{describe_policy(served.target.bundle or '', policy)}**")
    return "## From logits to an answer\n" + "".join(f"{_fill(part)}\n\n" for part in parts)


def describe_client(served: Served) -> str:
    """Say how to ask by text, and how to check a server."""
    if served.ranks:
        parts = describe_ranking_client(served)
        lines = [part if part.startswith("```") else _fill(part) for part in parts]
        return "## The client\n" + "\n\n".join(lines) + "\n"
    head, answer = served.artifact.head, served.words.answer
    one = answer.removesuffix("s")
    probability = {
        "classify": " and its calibrated probability",
        "tags": " that apply, and all probabilities",
    }
    said = answer + probability.get(head.name, "")
    golden = (
        f"""\
`golden.jsonl` has {len(served.golden)} texts with their ids, logits and {answer}, as the artifact's student
answers by itself. This holds the server to them:

```sh
python client.py --golden
```

{one.capitalize()}s must be the same and logits within 0.01. An int8 model on another kind of CPU rounds
elsewhere: where only logits differ, raise `--tolerance`.
"""
        if served.golden
        else "No texts were given (`edgekd bundle --texts FILE`), so there is no golden file.\n"
    )
    routed = (
        """\
It also says what the routing policy does with each text (answer, refuse, or teacher: ask it instead) and why.
`--slice NAME` names what you know of the texts, such as a language; `--student-only` passes over the policy.

"""
        if served.artifact.routing
        else ""
    )
    return f"""\
## The client
`client.py` needs numpy and tokenizers. It turns text into ids with `tokenizer.json`, at most
{served.manifest["max_tokens"]} of them, asks the server, and says the {said}:

```sh
python client.py "where is my order"
```

{routed}{golden}"""


def describe_batching(served: Served, means: str) -> str:
    """Say what sharing a batch does to this artifact's answers, and what that `means` for the server."""
    found, unit, answer = served.batching, served.unit, served.words.answer
    whose = f" of `{served.name}`" if served.ranks else ""
    if not found.compared:
        seen = f"No {unit}s of equal length were given, so what sharing a batch does was not measured."
    else:
        got = (
            f"{found.changed} of {found.requests} queries got another first candidate"
            if served.ranks
            else (f"{found.changed} got another {answer.removesuffix('s')}")
        )
        seen = (
            f"Of {found.compared} {unit}s answered in batches of up to 8 of equal length, {got} than alone; "
            f"logits moved by at most {found.worst:.2g} (their standard deviation is {found.spread:.2g})."
        )
        if not found.is_harmless:
            seen += (
                f" A dynamically quantized model chooses its scales over the whole batch, so that a {unit}'s "
                "answer depends on its neighbours."
            )
    return f"## Batches{whose}\n{_fill(f'{seen} {means}')}\n\n"


def _fill(text: str) -> str:
    return fill(text, 110, break_on_hyphens=False)
