"""What a bundle's README says of a model that ranks: how outputs become an order, and how to ask for one."""

from __future__ import annotations

import json

from edgekd.bundle.servers.served import Served
from edgekd.serving.heads.rank import FIRST
from edgekd.serving.ranker import KEPT

_ASKED = {"query": "where is my order", "candidates": ["my order", "a new book"]}
_ORDER = (
    "Candidates come in the order of their scores, the highest first, ties in the order that they came in. "
    "Scores of two queries do not compare. `client.py` makes the order, with the code that was judged, in "
    "`serving/`."
)


def describe_order(served: Served) -> list[str]:
    """Say what the server is asked and how its outputs become an order, in paragraphs."""
    parts = [_describe_outputs(one) for one in served.parts]
    if served.first is not None:
        keep, last = served.manifest[FIRST]["keep"], served.name
        parts.append(
            f"Of more than {keep} candidates `{served.first.name}` orders all, and `{last}` reads the best "
            f"{keep} anew; the others come after these, in the first one's order. Of fewer, `{last}` reads "
            "all. `client.py` asks both."
        )
    return [*parts, _ORDER]


def describe_client(served: Served) -> list[str]:
    """Say how to ask for an order, and how to hold a server to the artifact's own, in paragraphs."""
    parts = [
        "`client.py` needs numpy and tokenizers. It turns a query and its candidates into ids with "
        "`tokenizer.json`, asks the server, and says the order and the scores. `Client.rank(query, "
        "candidates)` does the same in a program of yours:",
        f"```sh\npython client.py '{json.dumps(_ASKED)}'\n```",
    ]
    if not served.golden:
        return [*parts, "No requests were given (`edgekd bundle --texts FILE`), so there is no golden file."]
    return [
        *parts,
        f"`golden.jsonl` has {len(served.golden)} requests with the order and the scores that the artifact "
        "answers. This holds the server to them:",
        "```sh\npython client.py --golden\n```",
        "Scores must be the same within 1 % of the range of all scores in that file (of two models in turn: "
        "of those that the same one gave), and candidates whose scores lie further apart must keep their "
        "places. An int8 model on another kind of CPU rounds elsewhere: where little more differs, raise "
        "`--tolerance`.",
    ]


def _describe_outputs(served: Served) -> str:
    name, most, head = served.name, served.manifest["max_tokens"], served.artifact.head
    half = most // 2
    if not head.towers:
        of_query, longer = ("", "longer of both") if head.cut else (f", at most {half}", "candidate")
        return (
            f"`{name}` reads a pair: the query's tokens{of_query}, then the candidate's, with the special "
            f"tokens of `tokenizer.json` around them, at most {most} together; what is too long is cut off "
            f"the {longer}. It gives one number, the candidate's score. A pair is never padded."
        )
    return (
        f"`{name}` reads a query, its first {half} tokens, or a candidate: token {head.separator}, then the "
        f"candidate's first {most - half - 1} tokens, with no special tokens around either. It gives a "
        f"vector of {head.towers} numbers; a candidate's score is the product of its vector with the "
        f"query's. `client.py` keeps the vectors of the last {KEPT:,} candidates by their texts, so that it "
        "does not ask for one that came before."
    )
