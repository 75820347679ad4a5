"""What was answered is let go at once, without the collector of cycles, which under load comes late."""

import gc
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from inference_runtime import memory
from inference_runtime.bundle import Bundle
from inference_runtime.journal import Journal
from inference_runtime.ledger import Ledger
from inference_runtime.memory import GROWN_BYTES, LOOK_SECONDS, Memory

Make = Callable[..., Bundle]
Picture = Callable[..., bytes]
NO_COLLECTOR = "import gc; gc.disable()\n"
PADDING = 4 << 20
REQUESTS = 40


def resident_mib(pid: int) -> float:
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line[:6] == "VmRSS:")
    return int(line.split()[1]) / 1024


class Image(bytearray):
    """One that can be watched."""


@pytest.mark.parametrize("is_late", [False, True])
def test_an_entry_that_was_waited_for_holds_nothing(tmp_path: Path, is_late: bool) -> None:
    journal = Journal(tmp_path / "journal")
    ledger = Ledger(journal)
    image, said = Image(), []
    entry: Future[str] = Future()

    def then(ids: Sequence[str | None], image: Image = image) -> None:
        said.append((ids, len(image)))

    watched = weakref.ref(image)
    gc.disable()
    try:
        ledger.when_kept([entry], then)
        del image, then
        if is_late:
            ledger.watch(float("inf"))
        entry.set_result("7")
        ledger.watch(float("inf"))
        assert said == [([None if is_late else "7"], 0)] and watched() is None
    finally:
        gc.enable()
        journal.close()


@pytest.mark.parametrize(
    ("sample", "status"), [("1", 200), ("0", 200), ("1", 422)], ids=["kept", "not kept", "broken"]
)
def test_large_requests_leave_nothing_behind(
    sample: str, status: int, make_bundle: Make, make_picture: Picture, start: Callable[..., Any]
) -> None:
    server = start(make_bundle(), prelude=NO_COLLECTOR, more=["--journal-sample", sample])
    begin = b"" if status == 200 else b"broken"
    bodies = [begin + make_picture(seed=seed) + bytes(PADDING) for seed in range(REQUESTS)]
    for body in bodies[:8]:
        assert server.predict(body)[0] == status
    before = resident_mib(server.process.pid)
    for body in bodies:
        assert server.predict(body)[0] == status
    grown = resident_mib(server.process.pid) - before
    assert grown < REQUESTS * PADDING / (1 << 20) / 4, f"{grown:.0f} MiB"


def test_what_a_crowd_needed_is_given_back_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    held, given = [100 << 20], []

    def trim(pad: int) -> None:
        given.append(held[0])
        held[0] = 105 << 20

    watched = Memory()
    monkeypatch.setattr(watched, "_trim", trim)
    monkeypatch.setattr(memory, "own_bytes", lambda: held[0])
    seen = []
    for look, bytes_held in enumerate((100 << 20, (100 << 20) + GROWN_BYTES, 200 << 20, 110 << 20)):
        held[0] = bytes_held
        for moment in range(5):
            watched.watch((look + moment / 5) * LOOK_SECONDS + 1)
        for thread in threading.enumerate():
            if thread.name == "memory":
                thread.join()
        seen.append(len(given))
    assert seen == [0, 0, 1, 1], "a little more is no reason, and the new leanest is what is left"
