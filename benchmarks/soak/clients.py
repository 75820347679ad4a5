"""Those who ask: most of them properly, others slowly, too much, nonsense, or not to the end."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.serving.pictures import whole
from benchmarks.soak.ledger import BUSY, LATE, Ledger, Question
from benchmarks.soak.wire import Connection, head

PREDICT = "/v1/predict"
OVERSIZED = 64 << 20
SLOW_PARTS = 8
REFUSED = range(400, 500)

MALFORMED: tuple[bytes, ...] = (
    b"",
    b"no picture at all",
    b'{"image": "no base64!"}',
    b'{"image": 7}',
    b'{"picture": ""}',
    b'{"image": ' + b"[" * 50_000,
    b'{"image": NaN}',
    b"\xff\xd8\xff\xe0 and then nothing of a JPEG",
)


@dataclass
class Clients:
    """Everybody who asks one replica, until `over`."""

    ledger: Ledger
    jpegs: Sequence[bytes]
    over: asyncio.Event
    seed: int
    pause: float
    _number: int = 0
    _draw: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._draw = random.Random(self.seed)

    def all(self, steady: int, burst: int, burst_every: float) -> list[Coroutine[Any, Any, None]]:
        return [
            *(self._repeat(self.valid, self.pause) for _ in range(steady)),
            self._repeat(self.slow, 1.0),
            self._repeat(self.oversized, 3.0),
            self._repeat(self.malformed, 0.3),
            self._repeat(self.cancelled, 0.3),
            self._repeat(lambda: self.burst(burst), burst_every),
        ]

    async def valid(self) -> None:
        """Several requests on one connection, JSON and raw in turn."""
        question, body = self._question()
        try:
            async with Connection(self.port) as connection:
                for _ in range(self._draw.randint(1, 20)):
                    self.ledger.answered(question, *await connection.ask("POST", PREDICT, body))
                    # Stamped before the pause: who asks after it may find that a kill meanwhile ended the
                    # connection, and that the server is long there again.
                    question, body = self._question()
                    await asyncio.sleep(self._draw.expovariate(1 / self.pause))
        except (OSError, EOFError) as error:
            await self._lost(question, error)

    async def slow(self) -> None:
        """A body in small parts over seconds is still a good request."""
        question, body = self._question()
        try:
            async with Connection(self.port) as connection:
                connection.writer.write(head("POST", PREDICT, len(body)))
                for part in range(SLOW_PARTS):
                    cut = [len(body) * edge // SLOW_PARTS for edge in (part, part + 1)]
                    connection.writer.write(body[cut[0] : cut[1]])
                    await connection.writer.drain()
                    await asyncio.sleep(0.5)
                self.ledger.answered(question, *await connection.answer())
        except (OSError, EOFError) as error:
            await self._lost(question, error)

    async def oversized(self) -> None:
        await self._bad("oversized", head("POST", PREDICT, OVERSIZED) + bytes(1 << 20), (413,))

    async def malformed(self) -> None:
        body = self._draw.choice([*MALFORMED, self._truncated()])
        await self._bad("malformed", head("POST", PREDICT, len(body)) + body, REFUSED)

    async def cancelled(self) -> None:
        """Gone before the answer, or before the end of the request."""
        _, body = self._question()
        said = head("POST", PREDICT, len(body)) + body
        try:
            async with Connection(self.port) as connection:
                connection.writer.write(said[: self._draw.choice((len(said), len(said) // 2))])
                await connection.writer.drain()
                self.ledger.counts["cancelled"] += 1
        except OSError:
            await asyncio.sleep(0.2)

    async def burst(self, size: int) -> None:
        """More at once than the line takes: each is answered, or told to come back."""
        await asyncio.gather(*(self._once() for _ in range(size)))
        self.ledger.counts["bursts"] += 1

    @property
    def port(self) -> int:
        return self.ledger.replica.port

    async def _once(self) -> None:
        question, body = self._question()
        try:
            async with Connection(self.port) as connection:
                self.ledger.answered(question, *await connection.ask("POST", PREDICT, body))
        except (OSError, EOFError) as error:
            await self._lost(question, error)

    async def _bad(self, kind: str, said: bytes, right: range | tuple[int, ...]) -> None:
        asked = time.monotonic()
        try:
            async with Connection(self.port) as connection:
                connection.writer.write(said)
                status, _ = await connection.answer()
                self.ledger.misbehaved(kind, status, right if status not in (BUSY, LATE) else (status,))
        except (OSError, EOFError) as error:
            await self._lost(Question(-1, b"", asked), error)

    async def _lost(self, question: Question, error: BaseException) -> None:
        now = time.monotonic()
        await asyncio.sleep(1.0)  # the supervisor must have seen a kill before it can excuse
        self.ledger.lost(question, now, error)

    async def _repeat(self, ask: Callable[[], Awaitable[None]], pause: float) -> None:
        while not self.over.is_set():
            await asyncio.sleep(self._draw.expovariate(1 / pause))
            await ask()

    def _question(self) -> tuple[Question, bytes]:
        self._number += 1
        picture = self._draw.randrange(len(self.jpegs))
        mode = ("raw", "json")[self._number % 2]
        number = self.seed * 10**9 + self._number
        image = whole(self.jpegs[picture], "raw", number)
        body = image if mode == "raw" else whole(self.jpegs[picture], "json", number)
        return Question(picture, image, time.monotonic()), body

    def _truncated(self) -> bytes:
        jpeg = self.jpegs[0]
        return jpeg[: self._draw.randrange(4, len(jpeg) // 2)]
