"""The feature cache: what was written is there, whoever was killed while writing."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inference_runtime.errors import Fixable
from pipeline.features import log
from pipeline.features.cache import Cache

WIDTH = 12


def views(numbers: range) -> pl.DataFrame:
    names = [hashlib.sha256(str(number // 3).encode()).hexdigest() for number in numbers]
    return pl.DataFrame({"image": names, "view": [f"2026-01/{number % 3}" for number in numbers]})


def vectors(numbers: range, width: int = WIDTH) -> NDArray[np.float32]:
    """Numbers that halves hold exactly."""
    found = [np.random.default_rng(number).integers(-1000, 1000, width) for number in numbers]
    return np.array(found, np.float32).reshape(len(numbers), width)


def written(folder: Path, *parts: range) -> Path:
    for part in parts:
        with Cache(folder) as cache:
            cache.write(views(part), vectors(part))
    return folder


def test_what_is_written_is_read_in_any_order(tmp_path: Path) -> None:
    written(tmp_path, range(30), range(30, 31))
    with Cache(tmp_path) as cache:
        assert np.array_equal(cache.read(views(range(31)).reverse()), vectors(range(31))[::-1])
        assert cache.missing(views(range(25, 35))).rows() == views(range(31, 35)).rows()
        assert cache.missing(pl.concat([views(range(31, 33))] * 2)).rows() == views(range(31, 33)).rows()


def test_nothing_asked_nothing_read(tmp_path: Path) -> None:
    with Cache(tmp_path) as cache:
        assert cache.missing(views(range(0))).height == len(cache.read(views(range(0)))) == 0
        cache.write(views(range(0)), vectors(range(0)))
    assert (written(tmp_path, range(2)) / "names").stat().st_size == 3 * log.NAME.itemsize


def test_what_is_not_held_is_never_made_up(tmp_path: Path) -> None:
    with Cache(written(tmp_path, range(3))) as cache, pytest.raises(KeyError, match="1 of 4 views"):
        cache.read(views(range(4)))


def test_two_open_at_once_see_what_the_other_writes(tmp_path: Path) -> None:
    with Cache(tmp_path) as one, Cache(tmp_path) as other:
        one.write(views(range(4)), vectors(range(4)))
        assert other.missing(views(range(6))).height == 2
        other.write(views(range(4, 6)), -vectors(range(4, 6)))
        assert np.array_equal(one.read(views(range(4))), vectors(range(4)))
        assert np.array_equal(one.read(views(range(4, 6))), -vectors(range(4, 6)))
    assert (tmp_path / "vectors").stat().st_size == 6 * WIDTH * 2


def test_of_two_who_write_the_same_the_first_stays(tmp_path: Path) -> None:
    with Cache(tmp_path) as one, Cache(tmp_path) as other:
        assert one.missing(views(range(4))).height == other.missing(views(range(4))).height == 4
        one.write(views(range(4)), vectors(range(4)))
        other.write(views(range(4)), -vectors(range(4)))
        assert np.array_equal(other.read(views(range(4))), vectors(range(4)))
    assert (tmp_path / "vectors").stat().st_size == 4 * WIDTH * 2


@given(st.data())
@settings(max_examples=120)
def test_torn_ends_are_cut_off_and_written_again(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever of the last bytes reached either file."""
    folder = written(tmp_path_factory.mktemp("torn"), range(5), range(5, 9))
    for name in ("names", "vectors"):
        size = (folder / name).stat().st_size
        os.truncate(folder / name, data.draw(st.integers(0, size), name))
    with Cache(folder) as cache:
        missing = cache.missing(views(range(9)))
        cache.write(missing, vectors(range(9))[9 - missing.height :])
        assert np.array_equal(cache.read(views(range(9))), vectors(range(9)))
    assert (folder / "names").stat().st_size == 10 * log.NAME.itemsize
    assert (folder / "vectors").stat().st_size == 9 * WIDTH * 2


@given(st.integers(0, 9 * WIDTH * 2 - 1), st.integers(1, 255))
@settings(max_examples=60)
def test_a_vector_that_the_disk_did_not_keep_is_missing(
    tmp_path_factory: pytest.TempPathFactory, at: int, change: int
) -> None:
    folder = written(tmp_path_factory.mktemp("rot"), range(9))
    with (folder / "vectors").open("r+b") as file:
        file.seek(at)
        [byte] = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ change]))
    hit = at // (WIDTH * 2)
    with Cache(folder) as cache:
        assert cache.missing(views(range(9))).rows() == views(range(hit, hit + 1)).rows()
        cache.write(views(range(hit, hit + 1)), vectors(range(hit, hit + 1)))
        assert np.array_equal(cache.read(views(range(9))), vectors(range(9)))
    with Cache(folder) as cache:
        assert cache.missing(views(range(9))).height == 0


def test_another_name_or_width_is_refused(tmp_path: Path) -> None:
    with (
        Cache(written(tmp_path, range(3))) as cache,
        pytest.raises(ValueError, match="of 12 numbers, not of 5"),
    ):
        cache.write(views(range(3, 4)), vectors(range(3, 4), 5))
    (tmp_path / "names").write_bytes(b"this is no log of names" * 100)
    with pytest.raises(Fixable, match=f"{tmp_path}: damaged; delete it"):
        written(tmp_path, range(3))


def test_a_full_disk_loses_only_what_did_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, range(3))
    room = 4 * WIDTH * 2 + 7

    def narrow(file: int, data: memoryview, at: int) -> int:
        if at + len(data) <= room:
            return real(file, data, at)
        if at >= room:
            raise OSError(28, "No space left on device")
        return real(file, data[: room - at], at)

    real = os.pwrite
    with Cache(tmp_path) as cache:
        monkeypatch.setattr(os, "pwrite", narrow)
        with pytest.raises(Fixable, match="no space left; free some and run again"):
            cache.write(views(range(3, 9)), vectors(range(3, 9)))
        monkeypatch.setattr(os, "pwrite", real)
        assert cache.missing(views(range(9))).height == 6
        cache.write(views(range(3, 9)), vectors(range(3, 9)))
        assert np.array_equal(cache.read(views(range(9))), vectors(range(9)))


@pytest.mark.slow
def test_killed_at_fifty_moments_while_another_writes(tmp_path: Path) -> None:
    """Two writers in forks of a clean process; one of them, or both, die at a random moment."""
    writers = Path(__file__).with_name("writers.py")
    done = subprocess.run([sys.executable, str(writers), str(tmp_path), "50"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *rounds, undisturbed = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rounds) == 50
    for one in rounds:
        assert one["held"] == undisturbed["held"] and one["sizes"] == undisturbed["sizes"], one
    assert sum(0 < one["at_kill"] < one["views"] for one in rounds) >= 25, "kills must land in the work"
