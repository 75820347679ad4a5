"""What goes back to the client."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from inference_runtime.asking import Given
from inference_runtime.bodies import Asked, Clip
from inference_runtime.errors import ImageError
from inference_runtime.wire import Response

Found = Given | ImageError


def to(asked: Asked, found: Sequence[Found], ids: Sequence[str | None], staged: bool) -> Response:
    """`ids` are the journal's, of those that were answered; `staged` tells which model had the last word."""
    entries = iter(ids)
    answers = [
        _answer(one, next(entries), staged) if isinstance(one, Given) else {"error": str(one)}
        for one in found
    ]
    if asked.clips:
        answers = _folded(asked.clips, found, answers)
    return Response(HTTPStatus.OK, {"answers": answers} if asked.many else answers[0])


def _answer(given: Given, entry: str | None, staged: bool) -> dict[str, Any]:
    answer = given.answer
    return {
        "p": answer.p,
        "label": given.bundle.classes[answer.p > 0.5],
        "image": answer.image,
        "bundle": answer.bundle,
        "entry": entry,
        **({"stage": "second" if answer.advice else "first"} if staged else {}),
    }


def _folded(
    clips: Sequence[Clip], found: Sequence[Found], answers: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """One answer for each picture, and one for each video."""
    folded, done = [], 0
    for clip in clips:
        end = clip.first + len(clip.at)
        folded += [
            *answers[done : clip.first],
            _of_clip(clip, found[clip.first : end], answers[clip.first : end]),
        ]
        done = end
    return [*folded, *answers[done:]]


def _of_clip(clip: Clip, found: Sequence[Found], answers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of the frames that were answered, the mean."""
    given = [one for one in found if isinstance(one, Given)]
    if not given:
        return {"error": str(found[0])}
    p = sum(one.answer.p for one in given) / len(given)
    return {
        "p": p,
        "label": given[0].bundle.classes[p > 0.5],
        "video": clip.name,
        "bundle": given[0].answer.bundle,
        "frames": [{"at": at, **answer} for at, answer in zip(clip.at, answers, strict=True)],
    }
