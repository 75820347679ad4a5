"""Many slow calls at once, in their order; the first that fails ends all."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def each(call: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    rest = iter(items)
    with ThreadPoolExecutor(workers) as pool:
        try:
            while part := list(itertools.islice(rest, 16 * workers)):  # so that few results wait in memory
                yield from pool.map(call, part)
        finally:
            pool.shutdown(cancel_futures=True)
