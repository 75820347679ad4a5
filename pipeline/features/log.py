"""Two files that only grow, `names` and `vectors`, row for row: safe under SIGKILL and with two writers.

A vector is written before the name that makes it count, under a lock, so a reader that needs no lock never
meets half a row. What a killed writer left half done is cut off by the next one. A sum beside each name tells
a vector that the disk did not keep, after a power cut say.
"""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference_runtime.errors import Fixable

Halves = NDArray[np.float16]
Named = NDArray[np.void]  # of NAME
Sums = NDArray[np.uint64]

NAME = np.dtype([("name", "V24"), ("sum", "<u8")])
FIRST = b"vectors of half floats 1"  # the first row's name; its sum is the width of a vector
ODD = 0x9E3779B97F4A7C15
BLOCK = 4096  # rows read at a time


class Log:
    """Open for one thread; `with` closes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> "Log":
        self.folder.mkdir(parents=True, exist_ok=True)
        self._names = os.open(self.folder / "names", os.O_RDWR | os.O_CREAT, 0o644)
        self._vectors = os.open(self.folder / "vectors", os.O_RDWR | os.O_CREAT, 0o644)
        with self._locked():
            self._mend()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._names)
        os.close(self._vectors)

    def names(self, start: int) -> Named:
        """Of all whole rows from the one numbered `start` on."""
        size = os.fstat(self._names).st_size
        if size < NAME.itemsize:
            return np.empty(0, NAME)
        self._width()
        return np.frombuffer(self._read(self._names, (1 + start) * NAME.itemsize, size), NAME)

    def vectors(self, count: int) -> Halves:
        """The first rows, mapped; a file that lost its end gives fewer."""
        width = self._width() if count else 0
        count = min(count, os.fstat(self._vectors).st_size // (2 * width)) if width else 0
        if count == 0:
            return np.empty((0, width), np.float16)
        return np.memmap(self.folder / "vectors", np.float16, "r", shape=(count, width))

    def append(self, rows: int, choose: Callable[[Named], tuple[Named, Halves]]) -> None:
        """What `choose` makes of the names that others wrote after the first `rows`: all of it or nothing."""
        with self._locked(), self._complaining():
            whole = self._mend()
            named, vectors = choose(self.names(rows))
            if not len(named):
                return
            self._agree(vectors.shape[1])
            _put(self._vectors, vectors, whole * 2 * vectors.shape[1])
            _put(self._names, named, (1 + whole) * NAME.itemsize)

    def _mend(self) -> int:
        """How many rows are whole, once both files end with the last of them."""
        size = os.fstat(self._names).st_size
        if size < NAME.itemsize:
            os.ftruncate(self._names, 0)
            os.ftruncate(self._vectors, 0)
            return 0
        row = 2 * self._width()
        whole = min(size // NAME.itemsize - 1, os.fstat(self._vectors).st_size // row)
        os.ftruncate(self._names, (1 + whole) * NAME.itemsize)
        os.ftruncate(self._vectors, whole * row)
        return whole

    def _agree(self, width: int) -> None:
        if not os.fstat(self._names).st_size:
            _put(self._names, np.array([(FIRST, width)], NAME), 0)
        if self._width() != width:
            raise ValueError(f"{self.folder}: holds vectors of {self._width()} numbers, not of {width}")

    def _width(self) -> int:
        [first] = np.frombuffer(os.pread(self._names, NAME.itemsize, 0), NAME)
        if bytes(first["name"]) != FIRST:
            raise Fixable(f"{self.folder}: damaged; delete it and run again, its vectors are computed anew")
        return int(first["sum"])

    @staticmethod
    def _read(file: int, start: int, end: int) -> bytes:
        whole = (end - start) // NAME.itemsize * NAME.itemsize
        return os.pread(file, max(whole, 0), start)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.flock(self._names, fcntl.LOCK_EX)  # the kernel lets go of it when a holder is killed
        try:
            yield
        finally:
            fcntl.flock(self._names, fcntl.LOCK_UN)

    @contextmanager
    def _complaining(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            said = "no space left; free some and run again, what was embedded stays"
            raise Fixable(f"{self.folder}: {said}") from None


def sums(named: Named, vectors: Halves) -> Sums:
    """A number for each row that another name or another vector would change."""
    bits = np.concatenate([_words(np.ascontiguousarray(named["name"])), _words(vectors)], axis=1)
    weights = np.arange(1, 2 * bits.shape[1], 2, dtype=np.uint64) * np.uint64(ODD)
    found: Sums = bits @ weights + np.uint64(1)  # so that a row of zeros is none
    return found


def _words(rows: NDArray[np.generic]) -> Sums:
    wide = rows.view(np.uint8).reshape(len(rows), rows.nbytes // max(len(rows), 1))
    return np.pad(wide, ((0, 0), (0, -wide.shape[1] % 8))).view(np.uint64)


def _put(file: int, rows: NDArray[np.generic], at: int) -> None:
    left = memoryview(rows.tobytes())
    while left:
        written = os.pwrite(file, left, at)
        left, at = left[written:], at + written
