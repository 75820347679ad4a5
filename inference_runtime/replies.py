"""What goes back to the client."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from inference_runtime.asking import Given
from inference_runtime.bodies import Asked
from inference_runtime.errors import ImageError
from inference_runtime.wire import Response


def to(
    asked: Asked, found: Sequence[Given | ImageError], ids: Sequence[str | None], staged: bool
) -> Response:
    """`ids` are the journal's, of those that were answered; `staged` tells which model had the last word."""
    entries = iter(ids)
    answers = [
        _answer(one, next(entries), staged) if isinstance(one, Given) else {"error": str(one)}
        for one in found
    ]
    return Response(HTTPStatus.OK, {"answers": answers} if asked.many else answers[0])


def _answer(given: Given, entry: str | None, staged: bool) -> dict[str, Any]:
    answer = given.answer
    return {
        "p": answer.p,
        "label": given.bundle.classes[answer.p > 0.5],
        "image": answer.image,
        "bundle": answer.bundle,
        "entry": entry,
        **({"stage": given.stage} if staged else {}),
    }
