"""What a case shows, in the words of a vision-language model behind any OpenAI-compatible endpoint."""

import base64
import os
from functools import cache
from typing import Any

from urllib3 import PoolManager
from urllib3.exceptions import HTTPError

from pipeline import images
from pipeline.params import Captions
from pipeline.progress import say
from pipeline.synthesize.plan import Caption

ASKED = (
    "Name the kind of street, the buildings, the vehicles and the vegetation in this photo in one phrase"
    " of at most 25 words. Do not mention weather, light or road works."
)
WORDS = 40


def caption(settings: Captions) -> Caption:
    """Without an endpoint, or when it fails, a case goes without words; its tags say enough."""
    if settings.url is None:
        return lambda image: None
    http, url = PoolManager(), f"{settings.url.rstrip('/')}/chat/completions"
    silent: list[str] = []

    @cache
    def ask(image: str) -> str | None:
        if silent:
            return None
        try:
            answer = http.request(
                "POST", url, json=_body(settings, image), headers=_headers(), timeout=settings.timeout
            )
            return phrase(answer.json()["choices"][0]["message"]["content"])
        except (HTTPError, ValueError, LookupError, TypeError) as error:
            silent.append(image)
            say(f"synthesize: {url}: no captions tonight ({type(error).__name__})")
            return None

    return ask


def phrase(said: str) -> str | None:
    words = " ".join(said.split()).strip(" .\"'").split(" ")
    return " ".join(words[:WORDS]) or None


def _headers() -> dict[str, str]:
    key = os.environ.get("OPENAI_API_KEY")
    return {"Authorization": f"Bearer {key}"} if key else {}


def _body(settings: Captions, image: str) -> dict[str, Any]:
    data = base64.b64encode(images.read(image)).decode()
    shown = {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}}
    message = {"role": "user", "content": [{"type": "text", "text": ASKED}, shown]}
    return {"model": settings.model, "messages": [message], "max_tokens": 80, "temperature": 0}
