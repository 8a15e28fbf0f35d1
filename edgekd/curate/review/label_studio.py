"""Tasks and annotations as Label Studio's JSON, both ways; nothing is sent anywhere.

A task holds a row under `data`, the model's answer as a prediction, and judgments as annotations. The server
gives an annotation that is imported its own time and rater, so that ours travel in the `meta` of its result,
which the server keeps as it is. An annotation that was changed there since is the judgment of who changed it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from xml.sax.saxutils import quoteattr

from edgekd.curate.review.item import Item, Judgment, read_time, write_time
from edgekd.curate.review.queue import Queue
from edgekd.curate.review.sheet import describe_item
from edgekd.errors import DataError

_FROM, _TO = "answer", "text"
_COPIES = "edgekd_copies"
_SAME = timedelta(seconds=1)  # what the server writes down right after it made an annotation


def write_config(answers: Sequence[str]) -> str:
    """Return the labelling interface: the text, and a choice of one answer.

    >>> write_config(["a & b"]).count('<Choice value="a &amp; b"/>')
    1
    """
    choices = "\n    ".join(f"<Choice value={quoteattr(answer)}/>" for answer in answers)
    return (
        "<View>\n"
        f'  <Text name="{_TO}" value="$text"/>\n'
        f'  <Choices name="{_FROM}" toName="{_TO}" choice="single" required="true">\n'
        f"    {choices}\n"
        "  </Choices>\n"
        "</View>\n"
    )


def write_tasks(queue: Queue, judgments: Sequence[Judgment] = (), model: str = "teacher") -> str:
    """Return a queue as tasks to import, each with what `model` answers, and with judgments that there are.

    The order of the queue is that of the tasks; `gain` is in their data, to be sorted by. `edgekd_copies`
    says how many raters are to look at each.
    """
    given: dict[str, list[Judgment]] = {}
    for one in judgments:
        given.setdefault(one.row, []).append(one)
    tasks = [
        {
            "data": _told(item, copies),
            "predictions": [
                {"model_version": model, "score": item.probability, "result": [_result(item.answer)]}
            ],
            "annotations": [_annotation(one) for one in given.get(item.id, ())],
        }
        for item, copies in zip(queue.items, queue.copies, strict=True)
    ]
    return json.dumps(tasks, ensure_ascii=False, indent=1)


def _told(item: Item, copies: int) -> dict[str, Any]:
    told: dict[str, Any] = {**item.columns, **describe_item(item)}
    return told | {_COPIES: copies}


def read_tasks(document: Any, source: str, raters: Mapping[int, str]) -> list[Judgment]:
    """Read the judgments of an export (type JSON); annotations that were skipped are left out.

    `raters` names the server's users by their number; one that is not named there is `user NUMBER`.

    Raises:
        DataError: naming the task and what is wrong with it.
    """
    if not isinstance(document, list):
        raise DataError(f"{source}: expected a list of tasks, as Label Studio exports them as JSON")
    found = []
    for number, task in enumerate(document, start=1):
        where = f"{source}: task {number}"
        data = task.get("data") if isinstance(task, dict) else None
        if not isinstance(data, dict) or data.get("id") in (None, ""):
            raise DataError(f"{where}: has no data.id, the row that it is of")
        annotations = task.get("annotations")
        if not isinstance(annotations, list):
            raise DataError(f"{where}: has no list of annotations; export as JSON, not as JSON-MIN")
        for annotation in annotations:
            judgment = _read_annotation(annotation, str(data["id"]), where, raters)
            if judgment is not None:
                found.append(judgment)
    return found


def read_items_of(document: Any, source: str) -> list[dict[str, Any]]:
    """Return the rows that tasks are of, as `edgekd.curate.review.item.read_items` reads them."""
    if not isinstance(document, list) or not all(
        isinstance(task, dict) and isinstance(task.get("data"), dict) for task in document
    ):
        raise DataError(f"{source}: expected a list of tasks with data, as Label Studio exports them as JSON")
    return [{name: value for name, value in task["data"].items() if name != _COPIES} for task in document]


def _result(answer: str) -> dict[str, Any]:
    return {"from_name": _FROM, "to_name": _TO, "type": "choices", "value": {"choices": [answer]}}


def _annotation(judgment: Judgment) -> dict[str, Any]:
    meta = {"rater": judgment.rater, "time": write_time(judgment.time)}
    if judgment.seconds is not None:
        meta["seconds"] = repr(judgment.seconds)
    result = {**_result(judgment.answer), "meta": meta}
    return {"result": [result], "lead_time": judgment.seconds, "was_cancelled": False}


def _read_annotation(annotation: Any, row: str, where: str, raters: Mapping[int, str]) -> Judgment | None:
    if not isinstance(annotation, dict):
        raise DataError(f"{where}: an annotation must be an object, got {annotation!r:.40}")
    if annotation.get("was_cancelled"):
        return None
    results = [
        one
        for one in annotation.get("result") or ()
        if isinstance(one, dict) and one.get("from_name") == _FROM and one.get("type") == "choices"
    ]
    if not results:
        return None
    choices = (results[0].get("value") or {}).get("choices") or []
    if len(results) != 1 or len(choices) != 1:
        raise DataError(f"{where}: expected one answer in an annotation, got {len(choices)} choices")
    created = read_time(annotation.get("created_at"), f"{where}: created_at")
    updated = read_time(annotation.get("updated_at") or created, f"{where}: updated_at")
    meta, answer = results[0].get("meta") or {}, str(choices[0])
    if "rater" in meta and "time" in meta and updated - created <= _SAME:
        seconds = meta.get("seconds")
        took = None if seconds is None else float(seconds)
        return Judgment(row, str(meta["rater"]), answer, read_time(meta["time"], f"{where}: meta.time"), took)
    who = annotation.get("updated_by") if updated - created > _SAME else None
    rater = _name_rater(who if who is not None else annotation.get("completed_by"), raters, where)
    took = annotation.get("lead_time")
    return Judgment(row, rater, answer, max(created, updated), None if took is None else float(took))


def _name_rater(user: Any, raters: Mapping[int, str], where: str) -> str:
    if isinstance(user, dict):
        user = user.get("email") or user.get("id")
    if isinstance(user, str):
        return user
    if isinstance(user, bool) or not isinstance(user, int):
        raise DataError(f"{where}: an annotation has no completed_by, the user who made it")
    return raters.get(user, f"user {user}")
