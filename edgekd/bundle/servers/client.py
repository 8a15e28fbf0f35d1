"""Ask a model server that speaks the KServe v2 protocol over HTTP (Triton, OpenVINO Model Server).

    python client.py "where is my order"
    python client.py --slice not-english "où est ma commande"
    python client.py --url http://HOST:8000 --golden

The server gives outputs. What is answered is decided here, by the code and the settings that were judged with
the model (`serving/`, `calibration.json`): a label by its temperature, its decision bias and its routing
policy; or a score. Needs numpy and tokenizers. The files that it reads lie beside it.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import importlib
import json
import sys
import urllib.parse
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

FOLDER = Path(__file__).parent


class ClientError(Exception):
    """One line: no server, or an answer that is not one."""


class Answer(NamedTuple):
    """What is answered: `action` is answer, teacher (ask it instead) or refuse, as the policy says.

    Without a policy it is always answer, and there is no reason. `probability` is the student's own.
    """

    label: str
    probability: float
    action: str = "answer"
    reason: str = ""


class Score(NamedTuple):
    """What a model with one output answers: a number from 0 to 1."""

    score: float


class Client:
    """Answers texts through a server, over one connection; not safe for concurrent calls."""

    def __init__(self, url: str, folder: Path = FOLDER, timeout_s: float = 30) -> None:
        from tokenizers import Tokenizer

        self._settings = json.loads((folder / "client.json").read_text(encoding="utf-8"))
        names = folder / "labels.txt"
        self.labels = names.read_text(encoding="utf-8").splitlines() if names.is_file() else []
        heads, known = _open_serving(folder), {"head": self._settings["head"], "labels": self.labels}
        self._head, self._width = heads.open_head(folder, known), heads.read_head(known).width
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        side = (self._tokenizer.truncation or {}).get("direction", "right")
        self._tokenizer.enable_truncation(self._settings["max_tokens"], direction=side)
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ClientError(f"{url}: expected http://HOST:PORT")
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        self._connection = kind(parts.hostname, parts.port or (443 if secure else 80), timeout=timeout_s)
        name = urllib.parse.quote(self._settings["model"], safe="")
        self._path, self._url = f"{parts.path.rstrip('/')}/v2/models/{name}/infer", url

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._connection.close()

    def tokenize(self, text: str) -> list[int]:
        """Return the ids of a text; one without any token is answered as token 0."""
        return list(self._tokenizer.encode(text).ids) or [0]

    def make_request(self, ids: list[int]) -> dict[str, Any]:
        """Build the request for one text; every input after the first is a mask, all ones."""
        first, *masks = self._settings["inputs"]
        given = {first: ids, **{mask: [1] * len(ids) for mask in masks}}
        return {
            "inputs": [
                {"name": name, "shape": [1, len(ids)], "datatype": "INT64", "data": data}
                for name, data in given.items()
            ],
            "outputs": [{"name": self._settings["output"]}],
        }

    def read_response(self, response: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Return the outputs [output] of one text."""
        found = {one.get("name"): one for one in response.get("outputs", [])}
        output = found.get(self._settings["output"])
        if output is None or output.get("shape") != [1, self._width]:
            raise ClientError(f"{self._url}: expected outputs of one text, got {json.dumps(response):.200}")
        return np.array(output["data"], np.float32)

    def outputs(self, ids: list[int]) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Ask the server for the outputs [output] of one text's ids."""
        body = json.dumps(self.make_request(ids))
        try:
            self._connection.request("POST", self._path, body, {"Content-Type": "application/json"})
            answer = self._connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise ClientError(f"{self._url}: no answer ({error}); is the server started?") from None
        if answer.status != 200:
            words = content.decode(errors="replace").strip()
            raise ClientError(f"{self._url}{self._path}: status {answer.status}: {words:.200}")
        return self.read_response(json.loads(content))

    def answer(self, text: str, slices: Sequence[str] = (), *, student_only: bool = False) -> Answer | Score:
        """Answer a text as it was judged: by the routing policy, where there is one.

        `slices` are names that the caller knows of the text. `student_only` passes over the policy; such
        answers are not what the gate judged.
        """
        return self.decide(text, self.outputs(self.tokenize(text)), slices, student_only=student_only)

    def decide(
        self,
        text: str,
        outputs: np.ndarray[Any, np.dtype[np.float32]],
        slices: Sequence[str] = (),
        *,
        student_only: bool = False,
    ) -> Answer | Score:
        """Make the answer to a text of its outputs [output]."""
        if not np.isfinite(outputs).all():
            raise ClientError(f"{self._url}: the outputs are not finite for the text {text!r:.60}")
        routes = self._head.routes and not student_only
        said = self._head.route(text, outputs, slices) if routes else self._head.answer(outputs)
        found = self._head.describe(said)
        return Answer(**found) if self.labels else Score(**found)


def _open_serving(folder: Path) -> ModuleType:
    """Import the heads that decide, under a name that no other bundle's client has in this process."""
    name = f"serving_of_{hash(folder.resolve()):x}".replace("-", "_")
    spec = ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = [str(folder / "serving")]
    sys.modules[name] = module_from_spec(spec)
    return importlib.import_module(f"{name}.heads")


def check_golden(client: Client, folder: Path, tolerance: float) -> int:
    """Hold the server's answers against the artifact's own; return how many are not the same."""
    try:
        with (folder / "golden.jsonl").open(encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
    except FileNotFoundError as error:
        raise ClientError(f"{error.filename}: not found; this bundle was made without texts") from None
    worst, bad = 0.0, 0
    for row in rows:
        outputs = client.outputs(row["ids"])
        answer = client.decide(row["text"], outputs, student_only=True)[0]
        expected = row["label"] if client.labels else row["score"]
        apart = float(np.abs(outputs - row["logits"]).max())
        worst = max(worst, apart)
        found = []
        if client.tokenize(row["text"]) != row["ids"]:
            found.append("other ids")
        if not _is_same(answer, expected, tolerance):
            found.append(f"{answer} instead of {expected}")
        if not apart <= tolerance:
            found.append(f"logits {apart:.2g} off")
        if found:
            bad += 1
            print(f"{row['text']!r:.60}: {', '.join(found)}")
    print(f"{len(rows) - bad} of {len(rows)} as the artifact answers; outputs at most {worst:.2g} off")
    return bad


def _is_same(answer: str | float, expected: str | float, tolerance: float) -> bool:
    """Tell whether two labels are the same, or two scores within the tolerance."""
    if isinstance(answer, float) and isinstance(expected, float):
        return abs(answer - expected) <= tolerance
    return answer == expected


def _show(found: Answer | Score) -> str:
    """Put an answer into one line with tabs; what the policy did stands where there is one."""
    if isinstance(found, Score):
        return f"{found.score:.3f}"
    routed = f"\t{found.action}\t{found.reason}" if found.reason else ""
    return f"{found.label}\t{found.probability:.3f}{routed}"


def main() -> int:
    """Answer texts, or check the golden file; 0 if all is well."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("texts", nargs="*")
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument(
        "--slice", dest="slices", action="append", default=[], help="what is known of the texts; repeatable"
    )
    parser.add_argument(
        "--student-only", action="store_true", help="answer without the policy, which the gate did not judge"
    )
    parser.add_argument("--golden", action="store_true", help="check the golden file")
    parser.add_argument("--tolerance", type=float, default=0.01, help="of a logit; another CPU may need more")
    arguments = parser.parse_args()
    if not arguments.texts and not arguments.golden:
        parser.error("give texts, or --golden")
    try:
        with contextlib.closing(Client(arguments.url)) as client:
            for text in arguments.texts:
                print(_show(client.answer(text, arguments.slices, student_only=arguments.student_only)))
            return int(arguments.golden and check_golden(client, FOLDER, arguments.tolerance) > 0)
    except ClientError as error:
        print(f"client: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
