"""One client: bytes in until a request is whole, one answer out, and then the next."""

import asyncio
import math
import os
import threading
import time
from contextlib import suppress
from enum import Enum, auto
from http import HTTPStatus
from io import BytesIO

from inference_runtime import door, wire
from inference_runtime.door import Door, answered
from inference_runtime.exchange import Exchange, late, patience_of
from inference_runtime.traffic import Traffic
from inference_runtime.wire import HEAD_BYTES, Head, Refusal, Response, busy

IDLE_SECONDS = 75.0
BODY_SECONDS = 30.0
LINGER_SECONDS = 2.0
LINGER_BYTES = 64 << 20
BLANK = b"\r\n\r\n"  # what ends a head
GONE = -1  # its number may soon be another client's


class State(Enum):
    HEAD = auto()
    BODY = auto()
    ANSWER = auto()
    ANSWERED = auto()  # but the next one may not begin yet
    LINGER = auto()


CLOSED_AFTER = {
    State.HEAD: IDLE_SECONDS,
    State.ANSWERED: IDLE_SECONDS,
    State.LINGER: LINGER_SECONDS,
}


class Connection(asyncio.BufferedProtocol):
    """The event loop reads; whoever has the answer writes it.

    The lock keeps the end of an exchange from meeting what the loop does about the same one.
    """

    def __init__(self, opened: Door, traffic: Traffic) -> None:
        self._door = opened
        self._traffic = traffic
        self._state = State.HEAD
        self._since = time.monotonic()
        self._text = b""
        self._exchange: Exchange | None = None
        self._held = 0
        self._lingered = 0
        self._room = memoryview(b"")
        self._body = BytesIO()
        self._keep = True
        self._unsent = b""
        self._is_full = False  # of answers that the client does not take
        self._lock = threading.Lock()

    @property
    def is_idle(self) -> bool:
        return self._state in (State.HEAD, State.LINGER) and not self._text

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(0)
        self._socket = transport.get_extra_info("socket").fileno()
        self._traffic.connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._traffic.connections.discard(self)
        with self._lock:
            if self._exchange:
                self._exchange.abandoned = True
            self._end_exchange()
            self._socket = GONE

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        self._go_on()

    def get_buffer(self, hint: int) -> memoryview:
        return self._room if self._state is State.BODY else self._traffic.scratch

    def buffer_updated(self, count: int) -> None:
        match self._state:
            case State.BODY:
                self._room = self._room[count:]
                if not self._room:
                    self._begin()
            case State.LINGER:
                self._lingered += count
                if self._lingered > LINGER_BYTES:
                    self.close()
            case _:
                self._read(self._traffic.scratch[:count])

    def answer(self, exchange: Exchange, response: Response) -> None:
        """From any thread; nothing happens when it was answered before, or its client is gone.

        Written at once: to wake the event loop takes longer, and its thread would compete for a core.
        """
        keep = exchange.head.keep and not self._traffic.draining
        data = wire.encoded(response, keep, only_head=exchange.head.method == "HEAD")
        with self._lock:
            if exchange is not self._exchange:
                return
            self._count(exchange.head, response)
            if exchange.head.path == door.PREDICT:
                self._traffic.metrics.time("total", time.monotonic() - exchange.came)
            self._end_exchange()
            # Before it is written: what the client asks next may be read sooner than this thread runs again.
            self._keep = keep
            self._since = time.monotonic()
            self._state = State.ANSWERED if self._text or self._is_full or not keep else State.HEAD
            self._send(data)
            if self._unsent or self._state is State.ANSWERED:
                self._traffic.later(self._go_on)

    def watch(self, now: float) -> None:
        """Called by the clock."""
        state, waited = self._state, now - self._since  # in this order; set in the other one
        exchange = self._exchange
        if exchange and now > exchange.deadline:
            exchange.abandoned = True
            self.answer(exchange, late().response)
        elif state is State.BODY and waited > BODY_SECONDS:
            reason = f"body: not whole within {BODY_SECONDS:.0f} s"
            self._refuse(Refusal(HTTPStatus.REQUEST_TIMEOUT, reason), self._head)
        elif waited > CLOSED_AFTER.get(state, math.inf):
            self.close()

    def close(self) -> None:
        self._transport.abort()

    def _read(self, got: memoryview) -> None:
        """Most often a whole head, and of the body what came with it, which is copied once."""
        if self._state is State.HEAD and not self._text:
            text = bytes(got)
            end = text.find(BLANK)
            if end >= 0:
                self._admit_parsed(text[:end], got[end + len(BLANK) :])
                return
        with self._lock:  # whoever ends an exchange looks here for what came meanwhile
            self._text += got
        self._read_on()

    def _read_on(self) -> None:
        """Begins a request if its head is whole."""
        if self._state in (State.ANSWER, State.ANSWERED) and len(self._text) > HEAD_BYTES:
            self._transport.pause_reading()  # whoever sends ahead of the answers waits
        if self._state is not State.HEAD:
            return
        end = self._text.find(BLANK)
        if end > HEAD_BYTES or (end < 0 and len(self._text) > HEAD_BYTES):
            reason = f"head: longer than {HEAD_BYTES >> 10} KiB"
            self._refuse(Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, reason))
        elif end >= 0:
            self._admit_parsed(self._text[:end], self._text[end + len(BLANK) :])

    def _admit_parsed(self, text: bytes, rest: bytes | memoryview) -> None:
        head = None
        try:
            head = wire.parsed(text)
            self._admit(head, rest)
        except Refusal as refusal:
            self._refuse(refusal, head)

    def _admit(self, head: Head, rest: bytes | memoryview) -> None:
        self._held, self._head, self._patience = head.length, head, self._door.patience
        self._traffic.hold(head.length)
        try:
            self._route = self._door.admitted(head)
            self._patience = patience_of(head) or self._door.patience
            if self._traffic.held > self._traffic.held_bytes:
                raise busy(f"memory: {self._traffic.held_bytes >> 20} MiB of requests are held")
        except Refusal as refusal:
            if head.length:
                raise
            self._text, self._body = bytes(rest), BytesIO()
            self._begin(refusal)
            return
        self._text = bytes(rest[head.length :])
        self._body = BytesIO(bytes(head.length))
        whole = self._body.getbuffer()
        whole[: len(rest)] = rest[: head.length]
        self._room = self._filled(whole[len(rest) :])
        if self._room:
            self._await_body()
        else:
            self._begin()

    def _filled(self, room: memoryview) -> memoryview:
        """What is left of it, once all that has arrived is there: most often the whole body."""
        count = 0
        if room:
            with suppress(OSError):  # the transport will meet the same, and knows what to do
                count = os.readv(self._socket, [room])
        return room[count:]

    def _await_body(self) -> None:
        self._state, self._since = State.BODY, time.monotonic()
        if self._head.headers.get("expect", "").lower() == "100-continue":
            self._write(wire.CONTINUE)

    def _begin(self, refusal: Refusal | None = None) -> None:
        self._state, self._since = State.ANSWER, time.monotonic()
        self._room = memoryview(b"")
        # The very bytes that were received into, which need no copy to be a picture's.
        exchange = Exchange(self._head, self._body.getvalue(), self._patience, self.answer)
        self._exchange, self._body = exchange, BytesIO()
        response = refusal.response if refusal else answered(lambda: self._route(exchange))
        if response:
            self.answer(exchange, response)

    def _send(self, data: bytes) -> None:
        """With the lock; what can not be sent now, or has to wait its turn, is left to the loop."""
        sent = 0
        if not self._unsent and not self._is_full:
            with suppress(OSError):  # the transport will meet the same, and knows what to do
                sent = os.write(self._socket, data)
        self._unsent += data[sent:]

    def _go_on(self) -> None:
        """What only the event loop can do after an answer."""
        if self._transport.is_closing():
            return
        self._write()
        if not self._keep:
            self._transport.close()
        elif self._state is State.ANSWERED and not self._is_full:
            self._state, self._since = State.HEAD, time.monotonic()
            self._transport.resume_reading()
            self._read_on()

    def _write(self, data: bytes = b"") -> None:
        """By the event loop, after what is still to be sent."""
        with self._lock:
            self._transport.write(self._unsent + data)
            self._unsent = b""

    def _end_exchange(self) -> None:
        self._exchange = None
        self._traffic.let_go(self._held)
        self._held = 0

    def _count(self, head: Head | None, response: Response) -> None:
        route = self._door.route_of(head)
        self._traffic.metrics.count("requests_total", route=route, status=str(response.status.value))

    def _refuse(self, refusal: Refusal, head: Head | None = None) -> None:
        """Ends a connection whose request was not read to its end.

        Closing with unread bytes resets it, and the other side may lose the answer that says why.
        """
        self._count(head, refusal.response)
        self._write(wire.encoded(refusal.response, keep=False))
        self._end_exchange()
        self._state, self._since, self._lingered = State.LINGER, time.monotonic(), 0
        self._text, self._body, self._room = b"", BytesIO(), memoryview(b"")
        if self._transport.can_write_eof():
            self._transport.write_eof()
