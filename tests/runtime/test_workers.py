"""What may be done later never holds what somebody waits for."""

import threading
import time
from collections.abc import Callable, Sequence

import pytest

from inference_runtime.workers import Full, Workers

SECONDS = 5.0


def until(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + SECONDS
    while not holds() and time.monotonic() < end:
        time.sleep(0.001)
    return holds()


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_serving_never_waits_for_what_is_for_later(threads: int) -> None:
    done: list[int] = []
    stuck, begun = threading.Event(), threading.Semaphore(0)

    def later() -> None:
        begun.release()
        stuck.wait()

    workers: Workers[int] = Workers(lambda jobs: done.extend(jobs), threads, capacity=100)
    for _ in range(2 * threads):
        assert workers.later(later, 1)
    assert begun.acquire(timeout=SECONDS), "an idle server does it"
    for job in range(3 * threads):
        workers.offer(job)
    assert until(lambda: len(done) == 3 * threads), "shadows that hang hold no worker"
    stuck.set()
    workers.close()


def test_later_waits_for_an_idle_worker_and_is_done_at_the_end() -> None:
    order: list[str] = []
    go, under_way = threading.Event(), threading.Semaphore(0)

    def work(jobs: Sequence[str]) -> None:
        under_way.release()
        go.wait()
        order.extend(jobs)

    workers: Workers[str] = Workers(work, 2, capacity=100)
    for job in ("one", "two"):
        workers.offer(job)
        assert under_way.acquire(timeout=SECONDS)
    assert workers.later(lambda: order.append("later"), 1)
    time.sleep(0.05)
    assert not order, "both workers are busy"
    go.set()
    assert until(lambda: len(order) == 3) and order[0] != "later"
    workers.close()
    with pytest.raises(Full):
        workers.offer("after the end")
    assert not workers.later(lambda: None, 1)


def test_who_worked_last_is_woken_first() -> None:
    """What the model reads is in the cache of its core."""
    did: list[str] = []
    workers: Workers[int] = Workers(lambda jobs: did.append(threading.current_thread().name), 3, capacity=100)
    for job in range(6):
        workers.offer(job)
        assert until(lambda: len(did) > job)  # noqa: B023
        time.sleep(0.05)  # until it sleeps again
    workers.close()
    assert len(set(did)) == 1


def test_all_are_woken_where_there_is_work_for_all() -> None:
    together = threading.Barrier(3, timeout=SECONDS)
    workers: Workers[int] = Workers(lambda jobs: [together.wait() for _ in jobs][0:0], 3, capacity=100)
    for job in range(3):
        workers.offer(job)
    workers.close()
    assert not together.broken and together.n_waiting == 0
