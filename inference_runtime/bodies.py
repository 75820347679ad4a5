"""What a request's body holds."""

import binascii
import json
from http import HTTPStatus
from typing import Any

from inference_runtime.wire import Refusal


def image_of(body: bytes) -> bytes:
    # No picture starts with a brace, so the body says by itself what it is; clients often do not.
    if not body[:64].lstrip().startswith(b"{"):
        return body
    text = object_of(body).get("image")
    if not isinstance(text, str):
        raise Refusal(HTTPStatus.BAD_REQUEST, "image: missing, or not a base64 string")
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, f"image: not base64 ({error})") from error


def object_of(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, f"body: not JSON ({error})") from error
    if not isinstance(found, dict):
        raise Refusal(HTTPStatus.BAD_REQUEST, "body: not a JSON object")
    return found
