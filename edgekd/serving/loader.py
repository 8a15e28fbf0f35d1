"""Open an artifact's folder and answer texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import ServingError
from .heads import choose_model, open_head, read_head
from .manifest import digest_manifest, read_manifest
from .runtimes import import_runtime, open_session
from .stages import Stages
from .tokenize import open_tokenizer

if TYPE_CHECKING:
    import numpy.typing as npt

    from .route import Route


class Model:
    """An open artifact: `model(text)` answers. Not safe for concurrent calls; open one a thread.

    What an answer is, its head says: a label with its probability (`heads/classify.py`), a score
    (`heads/score.py`) or an order of candidates (`heads/rank.py`, whose own `Model` says how a
    request becomes several runs). `labels` are empty where the head has none.

    `digest` is the artifact's, as ledgers and logs name it. `opened_ns` says how long opening took, by stage:
    verify, imports, tokenizer, session.
    """

    _FIRST = "a"
    """What is answered while it opens, so that the first answer takes no longer than others."""
    _IS_ONE_RUN = True
    """Whether one run of the model answers a request."""

    def __init__(self, folder: Path, manifest: dict[str, Any], threads: int, stages: Stages) -> None:
        self.folder = folder
        self.manifest = manifest
        self.digest = digest_manifest(folder)
        head = read_head(manifest)
        self.labels = head.labels
        self.head = open_head(folder, manifest)
        runtime = import_runtime(folder, manifest)
        stages.mark("imports")
        self._open_tokenizer(folder / "tokenizer.json", manifest["max_tokens"])
        stages.mark("tokenizer")
        session = open_session(runtime, folder, manifest, threads)
        self.run = session.run
        self.streams: int = manifest.get("streams", 1)
        self._run_rows = getattr(session, "run_rows", None)
        self._run_many = getattr(session, "run_many", None) if self._IS_ONE_RUN and self.streams > 1 else None
        self._shape = (head.width,)
        self._answer = self.head.answer
        self._token_if_empty = [0]
        self.outputs([self._FIRST])
        stages.mark("session")
        self.opened_ns = stages.ns

    def _open_tokenizer(self, path: Path, max_tokens: int) -> None:
        self.tokenize = open_tokenizer(path, max_tokens)

    def __call__(self, text: str) -> Any:
        """Answer one text; a text without any token gets the answer of token 0 alone.

        Returns:
            What the head answers: an `Answer` or a `Score`.

        Raises:
            ServingError: if the model gives no usable outputs, or `text` is no Unicode text.
        """
        answer = self._answer(self._run(text))
        if answer is None:
            raise self._not_finite(text)
        return answer

    @property
    def calibration(self) -> Any:
        """What was fitted for this artifact, as its head keeps it; None where the head fits nothing."""
        return self.head.calibration

    @property
    def routes(self) -> bool:
        """Whether it has a routing policy."""
        return self.head.routes

    def route(self, text: str, slices: Sequence[str] = ()) -> Route:
        """Answer one text, send it to the teacher or refuse it, as the artifact's policy says.

        `slices` are names that the caller knows of this text (a language, a device); those the policy
        does not name change nothing.

        Raises:
            ServingError: if the artifact has no policy, or as for an answer.
        """
        if not self.head.routes:
            raise ServingError(f"{self.folder}: this artifact has no routing policy; it answers everything")
        route = self.head.route(text, self._run(text), slices)
        if route is None:
            raise self._not_finite(text)
        return route

    def answer_all(self, texts: Sequence[str]) -> list[Any]:
        """Answer texts that are all there at once, as calls would, in order.

        With several `streams` the runtime works on as many texts at the same time, while this thread makes
        tokens of the next ones; else they are answered one after the other.
        """
        answers = []
        for text, outputs in zip(texts, self._run_all(texts), strict=True):
            if (answer := self._answer(outputs)) is None:
                raise self._not_finite(text)
            answers.append(answer)
        return answers

    def route_all(self, texts: Sequence[str]) -> list[Route]:
        """Route texts that are all there at once, of no named slice; see `answer_all` and `route`."""
        if not self.head.routes:
            return [self.route(text) for text in texts]
        routes = []
        for text, outputs in zip(texts, self._run_all(texts), strict=True):
            if (route := self.head.route(text, outputs, ())) is None:
                raise self._not_finite(text)
            routes.append(route)
        return routes

    def outputs(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return uncalibrated outputs [text, output], each text run alone as it would be served.

        Raises:
            ServingError: one text instead of a list, or outputs that cannot be used.
        """
        self._refuse_one(texts)
        rows = np.empty((len(texts), *self._shape), np.float32)
        for row, text in zip(rows, texts, strict=True):
            outputs = self._run(text)
            if not np.isfinite(outputs).all():
                raise self._not_finite(text)
            row[:] = outputs
        return rows

    def parse(self, line: str) -> str:
        """Return the request that a line of a command or a file stands for: the line itself."""
        return line

    def describe(self, text: str, said: Any) -> dict[str, Any]:
        """Return a text and what was said of it as what is printed and sent: JSON values by their names."""
        return {"text": text, **self.head.describe(said)}

    def _run(self, text: str) -> npt.NDArray[np.float32]:
        return self._check(self._ask(self.tokenize(text) or self._token_if_empty))

    def _run_all(self, texts: Sequence[str]) -> Iterator[npt.NDArray[np.float32]]:
        if self._run_many is None:
            return map(self._run, texts)
        rows = (self.tokenize(text) or self._token_if_empty for text in texts)
        return map(self._check, self._run_many(rows))

    def _check(self, outputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if outputs.shape != self._shape:
            raise ServingError(
                f"{self.folder}: the model gave outputs of shape {outputs.shape}, expected {self._shape}"
            )
        return outputs

    def _ask(self, ids: list[Any], run: Callable[[Any], Any] | None = None) -> npt.NDArray[np.float32]:
        """Run the model on one text's ids, or `run` on what that takes; an engine's error becomes one line.

        Raises:
            ServingError: the model cannot read these ids: one may be of no row of its table.
        """
        try:
            outputs: npt.NDArray[np.float32] = (run or self.run)(ids)
            return outputs
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001  (each runtime has errors of its own)
            words = " ".join(str(error).split())
            raise ServingError(
                f"{self.folder}: the model cannot read ids of this tokenizer, {ids!s:.40}: {words:.200}"
            ) from None

    @staticmethod
    def _refuse_one(texts: Sequence[str]) -> None:
        """Refuse a string, which would be taken for a list of its letters."""
        if isinstance(texts, str):
            raise ServingError(f"expected a list of texts, got the text {texts!r:.60}; put it into a list")

    def _not_finite(self, text: str) -> ServingError:
        return ServingError(f"{self.folder}: outputs are not finite for the text {text!r:.60}")


def load(
    folder: str | Path, *, threads: int | None = None, verify: bool = True, streams: int | None = None
) -> Model:
    """Open an artifact; `verify` holds every file against the manifest first.

    `threads` is what the runtime may use; 1 unless told. `streams` is how many texts it works on at once,
    where it can (see `Model.answer_all`): as the artifact was compiled for unless told, 1 for most.

    Raises:
        ServingError: one line that names the file that is not as it should be.
    """
    if threads is not None and threads < 1:
        raise ServingError(f"threads must be >= 1, got {threads}")
    path, stages = Path(folder), Stages()
    manifest = read_manifest(path, verify=verify)
    if streams is not None:
        manifest["streams"] = streams
    stages.mark("verify")
    opened: Model = choose_model(path, manifest, Model)(path, manifest, threads or 1, stages)
    return opened
