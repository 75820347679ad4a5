"""What a request's body holds: one picture or many, as they are, in JSON, or in a form."""

import binascii
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import pybase64

from inference_runtime.picture import Picture
from inference_runtime.wire import Head, Refusal

IMAGES = 64

# The shape that nearly all clients send. Megabytes of base64 need no general parser: what lies between these
# two is decoded strictly, so whatever else hides there is found, and the general parser has its turn.
OPENING = re.compile(rb'\s*\{\s*"image"\s*:\s*"')
CLOSING = re.compile(rb'"\s*\}\s*\Z')
CLOSING_BYTES = 32
BOUNDARY = re.compile(r'multipart/form-data;.*\bboundary=(?:"([^"]{1,70})"|([^\s";,]{1,70}))', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Clip:
    """A video: the sha256 of its bytes, where among what is looked at its frames begin, and their seconds."""

    name: str
    first: int
    at: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """`many` is the shape of the answer, for one picture in a list is still a list."""

    images: Sequence[Picture]
    many: bool = False
    clips: Sequence[Clip] = ()


def whole(head: Head, body: bytes) -> Picture | None:
    """The picture that a body is; None for one that holds pictures.

    No picture starts with a brace, so the body says by itself what it is; clients often do not.
    """
    return None if _form(head) or body[:64].lstrip().startswith(b"{") else Picture(body)


def asked(head: Head, body: bytes) -> Asked:
    picture = whole(head, body)
    return Asked([picture]) if picture else held(head, body)


def held(head: Head, body: bytes) -> Asked:
    """What is in a body that is no picture itself."""
    if form := _form(head):
        return _some(list(_parts(body, (form[1] or form[2]).encode("latin-1"))), "form")
    return _from_json(body)


def _form(head: Head) -> re.Match[str] | None:
    return BOUNDARY.match(head.headers.get("content-type", ""))


def object_of(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, f"body: not JSON ({error})") from error
    if not isinstance(found, dict):
        raise Refusal(HTTPStatus.BAD_REQUEST, "body: not a JSON object")
    return found


def _from_json(body: bytes) -> Asked:
    if (image := _common_shape(body)) is not None:
        return Asked([Picture(image)])
    found = object_of(body)
    if "images" not in found:
        name = "video" if "video" in found and "image" not in found else "image"
        return Asked([Picture(_decoded(found.get(name), name))])
    if "image" in found or "video" in found or not isinstance(found["images"], list):
        raise Refusal(
            HTTPStatus.BAD_REQUEST, "images: not a list of base64 strings, or beside image or video"
        )
    return _some([_decoded(text, f"images[{n}]") for n, text in enumerate(found["images"])], "images")


def _common_shape(body: bytes) -> bytes | None:
    opening = OPENING.match(body)
    closing = CLOSING.search(body, max(0, len(body) - CLOSING_BYTES))
    if not opening or not closing or closing.start() < opening.end():
        return None
    try:
        return pybase64.b64decode(memoryview(body)[opening.end() : closing.start()], validate=True)
    except binascii.Error:
        return None


def _decoded(text: Any, name: str) -> bytes:
    if not isinstance(text, str):
        raise Refusal(HTTPStatus.BAD_REQUEST, f"{name}: missing, or not a base64 string")
    try:
        return pybase64.b64decode(text, validate=True)
    except ValueError as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, f"{name}: not base64 ({error})") from error


def _some(images: list[bytes], name: str) -> Asked:
    if not 0 < len(images) <= IMAGES:
        raise Refusal(HTTPStatus.BAD_REQUEST, f"{name}: {len(images)} images; send 1 to {IMAGES}")
    return Asked([Picture(image) for image in images], many=True)


def _parts(body: bytes, boundary: bytes) -> Iterator[bytes]:
    """The contents of a form, whatever its fields are called."""
    line = b"\r\n--" + boundary
    data = b"\r\n" + body
    end = data.find(line)
    while end >= 0 and not data.startswith(b"--", end + len(line)):
        start = data.find(b"\r\n\r\n", end)
        end = data.find(line, start)
        if start < 0 or end < 0:
            raise Refusal(HTTPStatus.BAD_REQUEST, "form: a part does not end; send multipart/form-data")
        yield data[start + 4 : end]
