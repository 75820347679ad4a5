"""The client: one light process that keeps many connections busy and checks every answer.

`python -m benchmarks.serving.load PICTURES` takes one JSON object per line and answers each with one.
"""

import json
import os
import random
import select
import socket
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.serving.pictures import Body, body, references
from benchmarks.serving.trees import cpu_seconds

BUFFER = 4 << 20  # a whole request fits, so that one call sends it
TOLERANCE = 1e-3
LATE_SECONDS = 20.0


@dataclass(frozen=True)
class Order:
    """What one cell asks for. `rate` 0 is a closed loop of `clients`; else so many are due per second."""

    port: int
    path: str
    mode: str
    kind: str
    clients: int
    seconds: float
    warm: float
    rate: float = 0.0
    pids: list[int] = field(default_factory=list)
    content: str = ""


@dataclass
class Outcome:
    """Counted from the end of the warm-up to the last answer before the end."""

    seconds: float = 0.0
    server_cpu: float = 0.0
    client_cpu: float = 0.0
    ms: list[float] = field(default_factory=list)
    wrong: int = 0
    refused: int = 0
    broken: int = 0
    unanswered: int = 0
    said: str = ""


class Connection:
    """One socket with at most one request under way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.due = 0.0
        self.picture = 0
        self.is_asking = False
        self._unsent: list[memoryview] = []
        self._got = b""

    def send(self, parts: list[bytes], picture: int, due: float) -> None:
        self.picture, self.due, self.is_asking, self._got = picture, due, True, b""
        self._unsent = [memoryview(part) for part in parts]
        self.push()

    def push(self) -> None:
        try:
            while self._unsent:
                sent = self.socket.sendmsg(self._unsent)
                while self._unsent and sent >= len(self._unsent[0]):
                    sent -= len(self._unsent.pop(0))
                if sent:
                    self._unsent[0] = self._unsent[0][sent:]
        except BlockingIOError:
            pass

    @property
    def wants_out(self) -> bool:
        return bool(self._unsent)

    def answer(self) -> tuple[int, bytes] | None:
        """Status and body once the whole answer is here; ConnectionError when there will be none."""
        more = self.socket.recv(1 << 16)
        if not more:
            raise ConnectionResetError
        self._got += more
        head, blank, rest = self._got.partition(b"\r\n\r\n")
        if not blank:
            return None
        said = head.lower()
        status = int(head[9:12])
        if b"transfer-encoding: chunked" in said:
            return (status, _unchunked(rest)) if rest.endswith(b"0\r\n\r\n") else None
        length = int(said.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        return (status, rest) if len(rest) >= length else None


def _unchunked(rest: bytes) -> bytes:
    found = b""
    while (size := int((parts := rest.partition(b"\r\n"))[0], 16)) > 0:
        found, rest = found + parts[2][:size], parts[2][size + 2 :]
    return found


class Load:
    def __init__(self, order: Order, bodies: list[Body], wanted: list[float], first: int) -> None:
        self._order, self._bodies, self._wanted = order, bodies, wanted
        self.number = first
        self._poll = select.epoll()
        self._open: dict[int, Connection] = {}
        self._idle: list[Connection] = []
        self._late: deque[float] = deque()
        self._outcome = Outcome()
        self._counting = False

    def run(self) -> Outcome:
        try:
            self._begin()
            (self._open_loop if self._order.rate else self._closed_loop)()
            return self._outcome
        finally:
            for connection in self._open.values():
                connection.socket.close()
            self._poll.close()

    def _closed_loop(self) -> None:
        for _ in range(self._order.clients):
            self._ask(self._connection(), time.monotonic())
        self._begin()
        while (now := time.monotonic()) < self._end:
            self._mark(now)
            for connection in self._answered(self._end - now):
                self._ask(connection, time.monotonic())
        self._finish()

    def _open_loop(self) -> None:
        """Latency counts from when a request was due, whether or not there was a free connection then."""
        draw = random.Random(self._order.seconds)
        due = self._started
        while (now := time.monotonic()) < self._end:
            self._mark(now)
            while due <= now:
                self._late.append(due)
                due += draw.expovariate(self._order.rate)
            self._send_due()
            wait = min(due, self._end) - time.monotonic()
            select.select([self._poll], [], [], max(wait, 0))  # whose patience is not in whole milliseconds
            self._idle += self._answered(0)
        self._finish()
        stop = time.monotonic() + LATE_SECONDS
        while len(self._idle) < len(self._open) or self._late:
            self._send_due()
            self._idle += self._answered(0.1)
            if time.monotonic() > stop:
                break
        self._outcome.unanswered = len(self._open) - len(self._idle) + len(self._late)

    def _send_due(self) -> None:
        while self._late and (self._idle or len(self._open) < self._order.clients):
            connection = self._idle.pop() if self._idle else self._connection()
            self._ask(connection, self._late.popleft())

    def _mark(self, now: float) -> None:
        if not self._counting and now >= self._count_from:
            self._counting = True
            self._marked = now, cpu_seconds(self._order.pids), time.process_time()

    def _begin(self) -> None:
        self._started = time.monotonic()
        self._count_from = self._started + self._order.warm
        self._end = self._count_from + self._order.seconds

    def _finish(self) -> None:
        now = time.monotonic()
        self._mark(now)  # a machine that stood still may have slept through the whole cell
        began, server, client = self._marked
        self._outcome.seconds = now - began
        self._outcome.server_cpu = cpu_seconds(self._order.pids) - server
        self._outcome.client_cpu = time.process_time() - client

    def _connection(self) -> Connection:
        made = Connection(self._order.port)
        self._open[made.socket.fileno()] = made
        self._poll.register(made.socket, select.EPOLLIN)
        return made

    def _ask(self, connection: Connection, due: float) -> None:
        self.number += 1
        picture = self.number % len(self._bodies)
        body = self._bodies[picture]
        content = self._order.content or {"raw": "image/jpeg", "json": "application/json"}[self._order.mode]
        head = (
            f"POST {self._order.path} HTTP/1.1\r\nHost: 127.0.0.1:{self._order.port}\r\n"
            f"Content-Type: {content}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        connection.send([head.encode(), *body.parts(self.number)], picture, due)
        if connection.wants_out:
            self._poll.modify(connection.socket, select.EPOLLIN | select.EPOLLOUT)

    def _answered(self, seconds: float) -> list[Connection]:
        free = []
        for handle, event in self._poll.poll(max(seconds, 0)):
            connection = self._open[handle]
            if event & select.EPOLLOUT:
                connection.push()
                if not connection.wants_out:
                    self._poll.modify(connection.socket, select.EPOLLIN)
            if event & ~select.EPOLLOUT:
                free += self._read(handle, connection)
        return free

    def _read(self, handle: int, connection: Connection) -> list[Connection]:
        try:
            answer = connection.answer()
        except BlockingIOError:
            return []
        except (ConnectionError, ValueError) as error:
            self._poll.unregister(handle)
            self._open.pop(handle).socket.close()
            if not connection.is_asking:
                self._idle.remove(connection)  # which a server may close
                return []
            self._outcome.broken += 1
            self._outcome.said = self._outcome.said or repr(error)
            return [self._connection()]
        if answer is None:
            return []
        connection.is_asking = False
        self._judge(connection, *answer)
        return [connection]

    def _judge(self, connection: Connection, status: int, body: bytes) -> None:
        if status != 200:
            self._outcome.refused += 1
            self._outcome.said = self._outcome.said or f"{status} {body[:200]!r}"
        elif abs(json.loads(body)["p"] - self._wanted[connection.picture]) > TOLERANCE:
            self._outcome.wrong += 1
            self._outcome.said = self._outcome.said or f"{connection.picture}: {body[:200]!r}"
        elif connection.due >= self._count_from if self._order.rate else self._counting:
            self._outcome.ms.append((time.monotonic() - connection.due) * 1000)


def serve(folder: Path) -> None:
    jpegs = [file.read_bytes() for file in sorted(folder.glob("*.jpg"))]
    bodies = {mode: [body(jpeg, mode) for jpeg in jpegs] for mode in ("raw", "json")}
    wanted = references(folder)
    # No two processes that ask, and so no two requests of a run, share a number.
    number = (os.getpid() % 1000) * 1_000_000_000
    for line in sys.stdin:
        order = Order(**json.loads(line))
        load = Load(order, bodies[order.mode], wanted[order.kind], number)
        outcome = load.run()
        number = load.number
        print(json.dumps(asdict(outcome)), flush=True)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
