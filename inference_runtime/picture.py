"""A picture as it came, and its name: the sha256 of its bytes."""

import hashlib
import threading

# Enough to tell two photographs apart: what compresses well at all differs all along.
ENDS, BETWEEN = 64, 64


class Picture:
    """Its name is worked out once, by the thread that comes to it first."""

    __slots__ = ("_lock", "_name", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._name = ""
        self._lock = threading.Lock()

    def name(self) -> str:
        with self._lock:
            self._name = self._name or hashlib.sha256(self.data).hexdigest()
            return self._name

    def glimpse(self) -> int:
        """The same for the same bytes, in this process; hardly ever for others, and read in a microsecond."""
        data = self.data
        return hash((len(data), data[:ENDS], data[:: len(data) // BETWEEN + 1], data[-ENDS:]))
