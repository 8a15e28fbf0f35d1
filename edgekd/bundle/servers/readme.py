"""What a bundle's README says of any server."""

from __future__ import annotations

import json
from collections.abc import Sequence
from textwrap import fill
from typing import Any

from edgekd.bundle.servers.served import Served


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
            {"name": output, "datatype": "FP32", "shape": [1, len(row.logits)], "data": row.logits},
        ],
    }
    return f"""\
## A request
The text {json.dumps(row.text, ensure_ascii=False)}; the largest logit is that of `{row.label}`.

```sh
curl -s http://127.0.0.1:8000/v2/models/{served.name}/infer -d '{json.dumps(request)}'
```

The artifact, asked when this bundle was made, answers:

```json
{json.dumps(answer)}
```

"""


def describe_client(served: Served) -> str:
    """Say how to ask by text, and how to check a server."""
    golden = (
        f"""\
`golden.jsonl` has {len(served.golden)} texts with their ids, logits and label, as the artifact answers by
itself. This holds the server to them:

```sh
python client.py --golden
```

Labels must be the same and logits within 0.01. An int8 model on another kind of CPU rounds elsewhere: where
only logits differ, raise `--tolerance`.
"""
        if served.golden
        else "No texts were given (`edgekd bundle --texts FILE`), so there is no golden file.\n"
    )
    return f"""\
## The client
`client.py` needs numpy and tokenizers. It turns text into ids with `tokenizer.json`, at most
{served.manifest["max_tokens"]} of them, asks the server, and says the label and its calibrated probability:

```sh
python client.py "where is my order"
```

{golden}"""


def describe_batching(served: Served, means: str) -> str:
    """Say what sharing a batch does to this artifact's answers, and what that `means` for the server."""
    found = served.batching
    if not found.compared:
        seen = "No texts of equal length were given, so what sharing a batch does was not measured."
    else:
        seen = (
            f"Of {found.compared} texts answered in batches of up to 8 of equal length, {found.changed} got "
            f"another label than alone; logits moved by at most {found.worst:.2g} (their standard deviation "
            f"is {found.spread:.2g})."
        )
        if not found.is_harmless:
            seen += (
                " A dynamically quantized model chooses its scales over the whole batch, so that a text's "
                "answer depends on its neighbours."
            )
    return f"## Batches\n{fill(f'{seen} {means}', 110, break_on_hyphens=False)}\n\n"
