"""What the allocator keeps: enough for the next picture, and what a crowd needed not for ever."""

import ctypes
import gc
import threading
from pathlib import Path
from resource import getpagesize

# mallopt(3): what is freed stays with the process up to this much, for the next picture needs the same again.
MALLOC_TRIM, MALLOC_MMAP, MALLOC_ARENAS = -1, -3, -8
KEPT_BYTES = 64 << 20
# How much more than at its leanest the process may hold before it gives back what is free: to take 16 MiB
# again costs a few milliseconds of page faults, and that once in ten seconds at most.
GROWN_BYTES = 16 << 20
LOOK_SECONDS = 10.0
# A crowd that is still there has nothing to give back, and is not asked at every look.
REST_SECONDS = 50.0
STATM = Path("/proc/self/statm")


def keep(threads: int) -> None:
    """Only glibc has this dial; elsewhere memory is given back and asked for again."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(MALLOC_TRIM, KEPT_BYTES)
        mallopt(MALLOC_MMAP, KEPT_BYTES)
        mallopt(MALLOC_ARENAS, threads + 1)


def settle() -> None:
    """Called once all is loaded: the collector need not look at that again, and so is done sooner."""
    gc.collect()
    gc.freeze()


class Memory:
    """Holes in a heap are kept as long as a process lives, unless somebody asks for them to be given back."""

    def __init__(self) -> None:
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if STATM.exists() else None
        self._next = 0.0
        self._least = float("inf")

    def watch(self, now: float) -> None:
        """Called by the clock."""
        if self._trim is None or now < self._next:
            return
        self._next = now + LOOK_SECONDS
        held = own_bytes()
        self._least = min(self._least, held)
        if held > self._least + GROWN_BYTES:
            # The clock is the event loop's, which has no milliseconds to spare.
            threading.Thread(target=self._give_back, name="memory", daemon=True).start()

    def _give_back(self) -> None:
        assert self._trim
        self._trim(0)
        if own_bytes() > self._least + GROWN_BYTES:
            self._next += REST_SECONDS


def own_bytes() -> int:
    """Resident, without what is mapped from files."""
    resident, shared = map(int, STATM.read_text().split()[1:3])
    return (resident - shared) * getpagesize()
