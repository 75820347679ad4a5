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
from inference_runtime.memory import GROWN_BYTES, Memory

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


def test_what_a_crowd_needed_is_given_back_when_it_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    held, given = [100], []
    watched = Memory()
    monkeypatch.setattr(watched, "_trim", lambda pad: given.append(held[0]))
    monkeypatch.setattr(memory, "own_bytes", lambda: held[0] << 20)

    def looked(seconds: int, mib: int) -> int:
        """How often it was tried by then, holding so much."""
        held[0] = mib
        watched.watch(float(seconds))
        for thread in threading.enumerate():
            if thread.name == "memory":
                thread.join()
        return len(given)

    grown = GROWN_BYTES >> 20
    assert looked(1, 100) == looked(12, 100 + grown) == 0, "a little more is no reason"
    assert looked(23, 200) == 1
    assert looked(34, 200) == looked(80, 200) == 1, "it is still there"
    assert looked(84, 200) == 2
    assert looked(90, 100) == looked(144, 100) == 2
    assert looked(155, 130) == 3, "the leanest is not forgotten"
