"""Ask a model server that speaks the KServe v2 protocol over HTTP (Triton, OpenVINO Model Server).

    python client.py "where is my order"
    python client.py --url http://HOST:8000 --golden

Needs numpy and tokenizers. The files that it reads lie beside it.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import sys
import urllib.parse
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent


class ClientError(Exception):
    """One line: no server, or an answer that is not one."""


class Client:
    """Answers texts through a server, over one connection; not safe for concurrent calls."""

    def __init__(self, url: str, folder: Path = FOLDER, timeout_s: float = 30) -> None:
        from tokenizers import Tokenizer

        self._settings = json.loads((folder / "client.json").read_text(encoding="utf-8"))
        self.labels = (folder / "labels.txt").read_text(encoding="utf-8").splitlines()
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self._settings["max_tokens"])
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
        """Return the logits [label] of one text."""
        found = {one.get("name"): one for one in response.get("outputs", [])}
        output = found.get(self._settings["output"])
        if output is None or output.get("shape") != [1, len(self.labels)]:
            raise ClientError(f"{self._url}: expected logits of one text, got {json.dumps(response):.200}")
        return np.array(output["data"], np.float32)

    def logits(self, ids: list[int]) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Ask the server for the logits [label] of one text's ids."""
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

    def answer(self, text: str) -> tuple[str, float]:
        """Return the likeliest label and its calibrated probability."""
        logits = self.logits(self.tokenize(text))
        best = int(logits.argmax())
        shares = np.exp((logits - logits[best]) / self._settings["temperature"])
        return self.labels[best], float(1 / shares.sum())


def check_golden(client: Client, folder: Path, tolerance: float) -> int:
    """Hold the server's answers against the artifact's own; return how many are not the same."""
    try:
        with (folder / "golden.jsonl").open(encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
    except FileNotFoundError as error:
        raise ClientError(f"{error.filename}: not found; this bundle was made without texts") from None
    worst, bad = 0.0, 0
    for row in rows:
        logits = client.logits(row["ids"])
        label, apart = client.labels[int(logits.argmax())], float(np.abs(logits - row["logits"]).max())
        worst = max(worst, apart)
        found = []
        if client.tokenize(row["text"]) != row["ids"]:
            found.append("other ids")
        if label != row["label"]:
            found.append(f"{label} instead of {row['label']}")
        if not apart <= tolerance:
            found.append(f"logits {apart:.2g} off")
        if found:
            bad += 1
            print(f"{row['text']!r:.60}: {', '.join(found)}")
    print(f"{len(rows) - bad} of {len(rows)} as the artifact answers; logits at most {worst:.2g} off")
    return bad


def main() -> int:
    """Answer texts, or check the golden file; 0 if all is well."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("texts", nargs="*")
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--golden", action="store_true", help="check the golden file")
    parser.add_argument("--tolerance", type=float, default=0.01, help="of a logit; another CPU may need more")
    arguments = parser.parse_args()
    if not arguments.texts and not arguments.golden:
        parser.error("give texts, or --golden")
    try:
        with contextlib.closing(Client(arguments.url)) as client:
            for text in arguments.texts:
                label, probability = client.answer(text)
                print(f"{label}\t{probability:.3f}")
            return int(arguments.golden and check_golden(client, FOLDER, arguments.tolerance) > 0)
    except ClientError as error:
        print(f"client: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
