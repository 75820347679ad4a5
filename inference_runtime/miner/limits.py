"""A bound on bodies, outside everything that would read them whole."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class _TooLarge(Exception):
    pass


class BodyLimit:
    """An ASGI application that answers 413 for another where a body is over `limit` bytes, said or sent."""

    def __init__(self, app: App, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        said = dict(scope["headers"]).get(b"content-length", b"0")
        if not said.isdigit() or int(said) > self._limit:
            await _refuse(send, self._limit)
            return
        await self._counted(scope, receive, send)

    async def _counted(self, scope: Message, receive: Receive, send: Send) -> None:
        came = 0

        async def counting() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > self._limit:
                raise _TooLarge
            return message

        async def watching(message: Message) -> None:
            # What is within may take the interruption for a failure of its own, and say so.
            if came <= self._limit:
                await send(message)

        try:
            await self._app(scope, counting, watching)
        except Exception:
            if came <= self._limit:
                raise
        if came > self._limit:
            await _refuse(send, self._limit)


async def _refuse(send: Send, limit: int) -> None:
    body = json.dumps(
        {"message": f"body: over the limit of {limit >> 20} MiB; send a smaller image"}
    ).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    # The rest of the body is not read, so the connection can not go on.
    headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
