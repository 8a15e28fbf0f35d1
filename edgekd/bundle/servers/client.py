"""Ask a model server that speaks the KServe v2 protocol over HTTP (Triton, OpenVINO Model Server).

    python client.py "where is my order"
    python client.py --slice not-english "où est ma commande"
    python client.py --url http://HOST:8000 --golden
    python client.py '{"query": "gift", "candidates": ["a gift book", "a parcel"]}'

The server gives outputs. What is answered is decided here, by the code and the settings that were judged with
the model (`serving/`, `calibration.json`): a label by its temperature, its decision bias and its routing
policy; or all labels that apply; or a score; or the order of a query's candidates. Needs numpy and
tokenizers. The files that it reads lie beside it.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import importlib
import json
import sys
import urllib.parse
from collections import defaultdict
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

FOLDER = Path(__file__).parent
Outputs = np.ndarray[Any, np.dtype[np.float32]]


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


class Tags(NamedTuple):
    """What a model for several labels answers: those that apply, and the probability of every label."""

    labels: list[str]
    probabilities: dict[str, float]


class Ranking(NamedTuple):
    """What is answered for a query: its candidates' places, best first, and the score of each as it came."""

    order: list[int]
    scores: list[float]


Said = Answer | Score | Tags | Ranking
_ANSWERS: dict[str, type[Said]] = {"classify": Answer, "score": Score, "tags": Tags, "rank": Ranking}


class Client:
    """Answers texts, or ranks candidates, over one connection to a server; not safe for concurrent calls."""

    def __init__(self, url: str, folder: Path = FOLDER, timeout_s: float = 30) -> None:
        from tokenizers import Tokenizer

        self._settings = json.loads((folder / "client.json").read_text(encoding="utf-8"))
        names = folder / "labels.txt"
        self.labels = names.read_text(encoding="utf-8").splitlines() if names.is_file() else []
        heads, known = _open_serving(folder), {**self._settings, "labels": self.labels}
        head = heads.read_head(known)
        self._head, self._width = heads.open_head(folder, known), head.width
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
        self._ranker = self._before = None
        if "together" in self._settings:  # pairs that may share a batch: it takes a query and candidates
            first = self._settings.get("first", {})
            self._before = Client(url, folder / "first", timeout_s) if first else None
            before = self._before._ranker if self._before else None
            self._refusal, self._requests = heads.ServingError, _import_beside(heads, "request")
            path, keep = folder / "tokenizer.json", first.get("keep", 0)
            ranker, limit = _import_beside(heads, "ranker"), self._settings["max_tokens"]
            self._ranker = ranker.Ranker(path, limit, head, self._encode, before, keep)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._connection.close()
        if self._before is not None:
            self._before.close()

    def tokenize(self, text: str) -> list[int]:
        """Return the ids of a text; one without any token is answered as token 0."""
        return list(self._tokenizer.encode(text).ids) or [0]

    def make_request(self, ids: list[int], *more: list[int]) -> dict[str, Any]:
        """Build the request for texts of one length; every input after the first is a mask, all ones."""
        first, *masks = self._settings["inputs"]
        flat = [one for row in (ids, *more) for one in row]
        given = {first: flat, **{mask: [1] * len(flat) for mask in masks}}
        return {
            "inputs": [
                {"name": name, "shape": [1 + len(more), len(ids)], "datatype": "INT64", "data": data}
                for name, data in given.items()
            ],
            "outputs": [{"name": self._settings["output"]}],
        }

    def read_response(self, response: dict[str, Any]) -> Outputs:
        """Return the outputs [output] of one text."""
        return self._read_rows(response, 1).ravel()

    def _read_rows(self, response: dict[str, Any], count: int) -> Outputs:
        found = {one.get("name"): one for one in response.get("outputs", [])}
        output = found.get(self._settings["output"])
        if output is None or output.get("shape") != [count, self._width]:
            whose = "one text" if count == 1 else f"{count} texts"
            raise ClientError(f"{self._url}: expected outputs of {whose}, got {json.dumps(response):.200}")
        return np.array(output["data"], np.float32).reshape(count, self._width)

    def outputs(self, ids: list[int]) -> Outputs:
        """Ask the server for the outputs [output] of one text's ids."""
        return self._ask([ids]).ravel()

    def _encode(self, runs: Sequence[list[int]]) -> Outputs:
        """Ask for the outputs [run, output] of a query's runs: none padded, and each alone where told so."""
        rows, by_length = np.empty((len(runs), self._width), np.float32), defaultdict(list)
        for place, ids in enumerate(runs):
            by_length[len(ids)].append(place)
        together = self._settings["together"]
        for places in by_length.values():
            for start in range(0, len(places), together):
                part = places[start : start + together]
                rows[part] = self._ask([runs[place] or [0] for place in part])
        return rows

    def _ask(self, rows: list[list[int]]) -> Outputs:
        body = json.dumps(self.make_request(*rows))
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
        return self._read_rows(json.loads(content), len(rows))

    def rank(self, query: str, candidates: Sequence[str]) -> Ranking:
        """Order the candidates for a query, best first, where that is what the model answers."""
        if self._ranker is None:
            raise ClientError(f"{self._settings['model']} answers texts and orders nothing; call answer")
        found = self.answer(json.dumps({"query": query, "candidates": list(candidates)}))
        assert isinstance(found, Ranking)
        return found

    def answer(self, text: str, slices: Sequence[str] = (), *, student_only: bool = False) -> Said:
        """Answer a text as it was judged: by the routing policy, where there is one.

        `slices` are names that the caller knows of the text. `student_only` passes over the policy; such
        answers are not what the gate judged. Where candidates are ranked, the text is a JSON object with
        `query` and `candidates`.
        """
        if self._ranker is None:
            return self.decide(text, self.outputs(self.tokenize(text)), slices, student_only=student_only)
        try:
            query, candidates = self._requests.split_request(self._requests.read_line(text))
            return self.decide(text, self._ranker.score(query, candidates))
        except self._refusal as error:
            raise ClientError(str(error)) from None

    def decide(
        self, text: str, outputs: Outputs, slices: Sequence[str] = (), *, student_only: bool = False
    ) -> Said:
        """Make the answer to a text of its outputs [output], or to a request of its scores [place]."""
        if not np.isfinite(outputs).all():
            raise ClientError(f"{self._url}: the outputs are not finite for the text {text!r:.60}")
        routes = self._head.routes and not student_only
        said = self._head.route(text, outputs, slices) if routes else self._head.answer(outputs)
        return _ANSWERS[self._settings["head"]](**self._head.describe(said))


def _open_serving(folder: Path) -> ModuleType:
    """Import the heads that decide, under a name that no other bundle's client has in this process.

    The first of two models that rank in turn has the code of the second, in the folder above its own.
    """
    place = folder if (folder / "serving").is_dir() else folder.parent
    name = f"serving_of_{hash(place.resolve()):x}".replace("-", "_")
    spec = ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = [str(place / "serving")]
    sys.modules[name] = module_from_spec(spec)
    return importlib.import_module(f"{name}.heads")


def _import_beside(heads: ModuleType, name: str) -> ModuleType:
    return importlib.import_module(f"{heads.__name__.rpartition('.')[0]}.{name}")


def _show(found: Said) -> str:
    """Put an answer into one line, with what the policy did, if there is one; lists as JSON."""
    if isinstance(found, Tags | Ranking):
        return json.dumps(found._asdict(), ensure_ascii=False)
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
            if not arguments.golden:
                return 0
            check_golden = importlib.import_module("golden").check_golden  # it lies beside this file
            return int(check_golden(client, FOLDER, arguments.tolerance) > 0)
    except (ClientError, FileNotFoundError) as error:
        print(f"client: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
