"""Neighbours: what brute force finds, whatever the blocks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline import neighbours
from pipeline.neighbours import Rows


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that twenty rows already meet every seam."""
    monkeypatch.setattr(neighbours, "QUERIES", 5)
    monkeypatch.setattr(neighbours, "POOL", 7)
    monkeypatch.setattr(neighbours, "EDGES", 9)


def cosines(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(one, axis=1)[:, None] * np.linalg.norm(other, axis=1)
    return np.divide(one @ other.T, lengths, out=np.zeros_like(lengths), where=lengths > 0)


def crowd(seed: int, count: int, width: int = 6) -> NDArray[np.float64]:
    """Some alone, some nearly equal, some equal, some zero, of very different lengths."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(count, width))
    if count:
        kin = rng.integers(0, count, count)
        near = vectors[kin] + rng.choice([0, 1e-3, 1.0], count)[:, None] * rng.normal(size=vectors.shape)
        vectors = np.where(rng.random(count)[:, None] < 0.6, near, vectors)
        vectors *= rng.choice([0, 1e-3, 1, 500], count, p=[0.05, 0.3, 0.35, 0.3])[:, None]
    return vectors


crowds = st.builds(crowd, st.integers(0, 10**6), st.integers(0, 40))


@given(crowds, crowds, st.integers(0, 12))
@settings(max_examples=150)
def test_nearest_is_brute_force(queries: NDArray[np.float64], pool: NDArray[np.float64], k: int) -> None:
    found, similarity = neighbours.nearest(queries, pool, k)
    exact = cosines(queries, pool)
    assert found.shape == similarity.shape == (len(queries), min(k, len(pool)))
    assert np.allclose(similarity, -np.sort(-exact, axis=1)[:, :k], atol=3e-6)
    assert np.allclose(similarity, np.take_along_axis(exact, found, 1), atol=3e-6)
    assert all(len(set(row)) == len(row) for row in found.tolist())


@given(crowds, st.integers(0, 12))
@settings(max_examples=100)
def test_others_leave_the_row_itself_out(vectors: NDArray[np.float64], k: int) -> None:
    found, similarity = neighbours.others(vectors, k)
    exact = cosines(vectors, vectors)
    np.fill_diagonal(exact, -2)
    assert found.shape == (len(vectors), max(min(k, len(vectors) - 1), 0))
    assert np.allclose(similarity, -np.sort(-exact, axis=1)[:, : found.shape[1]], atol=3e-6)
    assert not (found == np.arange(len(vectors))[:, None]).any()


def test_of_equals_the_earlier_comes_first() -> None:
    found, similarity = neighbours.nearest(np.ones((1, 4)), np.ones((30, 4)), 9)
    assert found.tolist() == [list(range(9))]
    assert (similarity == similarity[0, 0]).all()


def test_a_pool_sorted_the_worst_way_changes_nothing() -> None:
    """Each block beats all before it, so that every row of it is a hit."""
    angle = np.linspace(3, 0, 200)
    found, _ = neighbours.nearest(np.array([[1.0, 0.0]]), np.stack([np.cos(angle), np.sin(angle)], 1), 3)
    assert found.tolist() == [[199, 198, 197]]


def test_halves_in_a_mapped_file_are_as_good(tmp_path: pytest.TempPathFactory) -> None:
    vectors = crowd(3, 40, 16).astype(np.float16)
    np.save(f"{tmp_path}/pool.npy", vectors)
    mapped = np.load(f"{tmp_path}/pool.npy", mmap_mode="r")
    for one, other in zip(
        neighbours.nearest(vectors, mapped, 5),
        neighbours.nearest(vectors, vectors.astype(float), 5),
        strict=True,
    ):
        assert np.array_equal(one, other)


def clear(exact: NDArray[np.float64], threshold: float) -> bool:
    """Whether rounding can not put a pair on the other side."""
    return bool((np.abs(exact - threshold) > 1e-5).all())


@given(crowds, st.sampled_from([0.2, 0.9, 0.999]))
@settings(max_examples=100)
def test_pairs_are_brute_force(vectors: NDArray[np.float64], at_least: float) -> None:
    exact = cosines(vectors, vectors)
    if not clear(exact, at_least):
        return
    left, right = neighbours.pairs(vectors, at_least)
    expected = np.nonzero(np.triu(exact >= at_least, 1))
    assert np.array_equal(left, expected[0]) and np.array_equal(right, expected[1])


@given(crowds, crowds, st.sampled_from([0.2, 0.9, 0.999]))
@settings(max_examples=100)
def test_pairs_between_new_and_old_are_brute_force(
    new: NDArray[np.float64], old: NDArray[np.float64], at_least: float
) -> None:
    exact = cosines(new, old)
    if not clear(exact, at_least):
        return
    expected = np.nonzero(exact >= at_least)
    for one, other in zip(neighbours.between(new, old, at_least), expected, strict=True):
        assert np.array_equal(one, other)


def by_walking(count: int, left: Rows, right: Rows) -> list[int]:
    """The first row that each can be reached from."""
    first = list(range(count))
    for _ in range(count):
        for one, other in zip(left.tolist(), right.tolist(), strict=True):
            first[one] = first[other] = min(first[one], first[other])
    return first


@given(
    st.integers(1, 25).flatmap(
        lambda count: st.tuples(
            st.just(count),
            st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=30),
        )
    )
)
@settings(max_examples=150)
def test_groups_are_what_can_be_reached(case: tuple[int, list[tuple[int, int]]]) -> None:
    count, joined = case
    left, right = (np.array([pair[side] for pair in joined], np.int64) for side in (0, 1))
    assert neighbours.groups(count, left, right).tolist() == by_walking(count, left, right)


@given(crowds, st.sampled_from([0.2, 0.9, 0.999]))
@settings(max_examples=60)
def test_alike_groups_all_pairs(vectors: NDArray[np.float64], at_least: float) -> None:
    grouped = neighbours.groups(len(vectors), *neighbours.pairs(vectors, at_least))
    assert np.array_equal(neighbours.alike(vectors, at_least), grouped)


@given(crowds, crowds)
@settings(max_examples=60)
def test_a_night_at_a_time_gives_the_groups_of_all_at_once(
    old: NDArray[np.float64], new: NDArray[np.float64]
) -> None:
    """Old groups enter as pairs of a row and the first of its group: only new rows are compared."""
    both = np.concatenate([old, new])
    at = len(old)
    known = neighbours.alike(old, 0.95)
    one, other = neighbours.between(new, old, 0.95)
    among = neighbours.pairs(new, 0.95)
    left = np.concatenate([np.arange(at), one + at, among[0] + at])
    right = np.concatenate([known, other, among[1] + at])
    exact = cosines(both, both)
    if clear(exact, 0.95):
        assert np.array_equal(neighbours.groups(len(both), left, right), neighbours.alike(both, 0.95))
