"""What is said of a text: by the policy that was judged with the model, unless the student alone is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .loader import Model


def respond(
    model: Model, text: str, slices: Sequence[str] = (), *, student_only: bool = False
) -> dict[str, Any]:
    """Return the text and its answer by their names, and with a policy also its action and the reason.

    The head names the parts of an answer: `label` and `probability`, `labels` and `probabilities`, or
    `score`. Of a request with candidates the `query` is returned, and their `order` and `scores`. `slices`
    are names that the caller knows of the text. `student_only` passes over the policy; such answers are not
    what the gate judged.

    Raises:
        ServingError: as `Model.__call__`.
    """
    said = model(text) if student_only or not model.routes else model.route(text, slices)
    return model.describe(text, said)


def round_numbers(value: Any) -> Any:
    """Round a fraction, or those in a list or an object, to six places; other values stay as they are.

    >>> round_numbers([0.12345678, 3]), round_numbers("a")
    ([0.123457, 3], 'a')
    """
    if isinstance(value, dict):
        return {name: round_numbers(one) for name, one in value.items()}
    if isinstance(value, list):
        return [round_numbers(one) for one in value]
    return round(value, 6) if isinstance(value, float) else value
