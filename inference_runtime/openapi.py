"""What the public door takes and gives, in the words of OpenAPI 3.1."""

from collections.abc import Mapping
from typing import Any

from inference_runtime.bodies import IMAGES
from inference_runtime.exchange import LONGEST_MS

SECONDS: Mapping[str, Any] = {"type": "number", "minimum": 0, "description": "from the start of the video"}
TEXT: Mapping[str, Any] = {"type": "string"}
REFUSAL = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string", "description": "one line: what is wrong, and the remedy"}},
}
ANSWER: dict[str, Any] = {
    "type": "object",
    "required": ["p", "label", "image", "bundle", "entry"],
    "properties": {
        "p": {"type": "number", "minimum": 0, "maximum": 1},
        "label": TEXT,
        "image": {"type": "string", "description": "sha256 of the image's bytes"},
        "bundle": {"type": "string", "description": "id of the bundle that gave all of this answer"},
        "stage": {"enum": ["first", "second"], "description": "whose word it is, when there is a cascade"},
        "entry": {"type": ["string", "null"], "description": "journal entry, once it is durable"},
    },
}
FRAME = ANSWER | {
    "required": ["at", *ANSWER["required"]],
    "properties": {"at": SECONDS} | ANSWER["properties"],
}
CLIP = {
    "type": "object",
    "required": ["p", "label", "video", "bundle", "frames"],
    "properties": {
        "p": {
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "description": "mean of the frames that were answered",
        },
        "label": TEXT,
        "video": {"type": "string", "description": "sha256 of the video's bytes"},
        "bundle": TEXT,
        "frames": {"type": "array", "minItems": 1, "items": {"anyOf": [FRAME, REFUSAL]}},
    },
}
MANY = {
    "type": "object",
    "required": ["answers"],
    "properties": {"answers": {"type": "array", "items": {"anyOf": [ANSWER, CLIP, REFUSAL]}}},
}
ENCODED = {"type": "string", "contentEncoding": "base64"}
ASKED = {
    "oneOf": [
        {"type": "object", "required": ["image"], "properties": {"image": ENCODED}},
        {
            "type": "object",
            "required": ["video"],
            "properties": {"video": ENCODED, "image": False, "images": False},
        },
        {
            "type": "object",
            "required": ["images"],
            "properties": {
                "images": {"type": "array", "minItems": 1, "maxItems": IMAGES, "items": ENCODED},
                "image": False,
                "video": False,
            },
        },
    ]
}
FORM = {"type": "object", "additionalProperties": {"type": "string", "contentMediaType": "image/*"}}
REFUSED = {
    "400": "not the form it should have",
    "413": "too many bytes",
    "415": "a video, and this server reads none",
    "422": "no picture or video that is accepted",
    "429": "too much at once; Retry-After says when to come back",
    "500": "the server's fault",
    "504": "the deadline passed first",
}


def document() -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {"title": "inference_runtime", "version": "1"},
        "paths": {
            "/v1/predict": {"post": _predict()},
            "/v1/models": {"get": _get("what serves now", "application/json", {"type": "object"})},
            "/healthz": {"get": _get("alive", "application/json", {"type": "object"})},
            "/readyz": {"get": _get("ready; 503 while it drains", "application/json", {"type": "object"})},
            "/metrics": {"get": _get("for Prometheus", "text/plain", TEXT)},
            "/openapi.json": {"get": _get("this", "application/json", {"type": "object"})},
        },
    }


def _predict() -> dict[str, Any]:
    milliseconds = {"type": "integer", "minimum": 1, "maximum": LONGEST_MS}
    refused = {status: {"description": why, "content": _json(REFUSAL)} for status, why in REFUSED.items()}
    return {
        "summary": "the probability of each image, and of each video by its keyframes",
        "parameters": [{"name": "X-Deadline-Ms", "in": "header", "required": False, "schema": milliseconds}],
        "requestBody": {
            "required": True,
            "content": _json(ASKED)
            | {"image/*": {}, "video/mp4": {}, "multipart/form-data": {"schema": FORM}},
        },
        "responses": {"200": {"description": "answered", "content": _json({"anyOf": [ANSWER, CLIP, MANY]})}}
        | refused,
    }


def _get(summary: str, kind: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    given = {"description": summary, "content": {kind: {"schema": schema}}}
    return {"summary": summary, "responses": {"200": given}}


def _json(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
