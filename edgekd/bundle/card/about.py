"""Sections of the card that name things: what it is, how it was made, licences, the way back, digests."""

from __future__ import annotations

import json
from textwrap import fill

from edgekd.bundle.card.facts import Facts
from edgekd.bundle.card.lines import bullets, table
from edgekd.serving.heads import takes_candidates
from edgekd.serving.wordpiece import cuts_left
from edgekd.store import digest_json

UNSTATED = "not stated"

_KINDS = {
    "transformer": "a small transformer encoder",
    "static": "a model without attention: pooled token vectors and a small head",
}


def describe_use(facts: Facts) -> str:
    """Say what goes in, what comes out, and what it is for."""
    manifest, target = facts.manifest, facts.target
    words, labels = facts.words, facts.artifact.head.labels
    kind = _KINDS.get(manifest.get("student_kind", ""), "a small model")
    about = f": {target.description}" if target.description else ""
    return f"""\
`{manifest["student"]}` is {kind} that {words.does.format(labels=len(labels))}
(task `{manifest["task"]}`){_probability(facts)}. It is compiled for the target
`{target.name}`{about}.

- Input: {_describe_input(facts)}
- Output: {words.output}
{fill(f"- For: {words.purpose} Not for: {words.danger}", 110, subsequent_indent="  ")}{_list_labels(facts)}"""


def _describe_input(facts: Facts) -> str:
    if takes_candidates(facts.artifact.head):
        most = facts.manifest["max_tokens"]
        return f"a query and its candidates; of the query with each of them {most} tokens are read."
    return (
        f"one text, of which the {_which(facts)} tokens are read. A text without any token gets\n"
        "  the answer of token 0 alone."
    )


def _which(facts: Facts) -> str:
    """Say which tokens of a text the model reads, where it has more."""
    tokenizer = json.loads((facts.artifact.path / "tokenizer.json").read_text(encoding="utf-8"))
    return f"{'last' if cuts_left(tokenizer) else 'first'} {facts.manifest['max_tokens']}"


def _probability(facts: Facts) -> str:
    said = facts.words.probability[facts.is_from_elsewhere]
    return f", with {said}" if said else ""


def _list_labels(facts: Facts) -> str:
    shown = ", ".join(f"`{label}`" for label in facts.artifact.head.labels)
    return f"\n\n{facts.words.listed}: {shown}." if shown else ""


def describe_making(facts: Facts) -> str:
    """Say what it was made from and by what."""
    manifest, origin = facts.manifest, facts.origin
    source = manifest["provenance"]
    restored = source.get("restored")
    libraries = ", ".join(
        f"{name} {version}" for name, version in sorted(source.get("libraries", {}).items())
    )
    return bullets(
        [
            *([f"Project: `{origin.project}`."] if origin.project else []),
            *(_trained_elsewhere(facts) if facts.is_from_elsewhere else _distilled(facts)),
            f"Compiled: recipe `{manifest['recipe']}` for `{manifest['runtime']}`, by edgekd "
            f"{source.get('edgekd', UNSTATED)}.",
            *([f"Operators left in fp32: {len(restored)}."] if restored is not None else []),
            f"Libraries that decided its bytes or answers: {libraries or UNSTATED}.",
        ]
    )


def _distilled(facts: Facts) -> list[str]:
    origin = facts.origin
    start = f", started from `{origin.start}`" if origin.start else ""
    return [
        f"Teacher: {f'`{origin.teacher}`{start}' if origin.teacher else UNSTATED}.",
        f"Data: {f'`{origin.data}`' if origin.data else UNSTATED}.",
        f"Student: `{facts.manifest['student']}`, distilled from the teacher's answers.",
    ]


def _trained_elsewhere(facts: Facts) -> list[str]:
    source = facts.manifest["provenance"]
    return [
        f"Trained elsewhere: `{source['source']}`, which was compiled as it came, not distilled. No "
        "teacher is known here, nor from which data it learned.",
        f"Its weights have the sha256 `{source['weights']}`.",
    ]


def describe_licences(facts: Facts) -> str:
    """Name the licences that somebody stated, and say where nobody did."""
    origin = facts.origin
    of = "the model that was compiled" if facts.is_from_elsewhere else "weights that the teacher started from"
    rows = [
        [of, origin.weights_licence or UNSTATED],
        ["data that taught", origin.data_licence or UNSTATED],
        ["the loader inside the artifact (`serving/`)", "Apache-2.0"],
    ]
    unknown = (
        ""
        if origin.weights_licence and origin.data_licence
        else (
            "\n\n*Not stated* means that neither the project file (`licence: {weights: ..., data: ...}`) nor "
            "the weights' own README says so; ask before this leaves the house."
        )
    )
    shown = table(["of", "licence"], rows)
    holds = (
        "It was trained elsewhere, and is under the terms of whoever made it."
        if facts.is_from_elsewhere
        else "A student holds parts of its teacher's start, or was taught by it."
    )
    return f"{holds}\n\n{shown}{unknown}"


def describe_rollback(facts: Facts) -> str:
    """Say how to go back to what was promoted before."""
    name = facts.target.name
    if facts.is_from_elsewhere:
        return "No ledger knows it, for no gate promoted it: deploy again what was deployed before."
    return f"""\
```sh
# one atomic step to what was promoted before, if this is what is promoted now
edgekd rollback PROJECT {name} --expects {facts.artifact.digest[:12]}
# this folder anew, from that artifact
edgekd bundle PROJECT --target {name}
# whether the chain of promotions holds
edgekd ledger verify PROJECT
```

Then deploy that bundle as this one was. PROJECT is the project file{_named(facts)}."""


def _named(facts: Facts) -> str:
    return f" of `{facts.origin.project}`" if facts.origin.project else ""


def describe_digests(facts: Facts) -> str:
    """List what the ledger and the manifest name."""
    source = facts.manifest["provenance"]
    found = {
        "artifact (of `manifest.json`)": facts.artifact.digest,
        **{name: str(source[name]) for name in ("data", "teacher", "student", "graph") if name in source},
        **({"verdict": digest_json(facts.verdict)} if facts.verdict is not None else {}),
        **({"evidence": digest_json(facts.evidence)} if facts.evidence is not None else {}),
    }
    return table(["of", "sha256"], [[name, f"`{digest}`"] for name, digest in found.items()])
