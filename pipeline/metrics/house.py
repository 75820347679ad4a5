"""Gathers the families when somebody looks. What cannot be read is a state: the rest still speaks."""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Generic, TypeVar

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from inference_runtime.errors import Fixable
from pipeline import hub as hubs
from pipeline.accounts import costs, runs
from pipeline.metrics import families
from pipeline.metrics.families import gauge
from pipeline.params import Params
from pipeline.watching import seen

# What grows: by name, where it lies. The hub on Hugging Face costs nothing here.
STORED = {
    "images": "var/images",
    "features": "var/features",
    "journal": "var/journal",
    "hub": "var/hub",
    "artifacts": "artifacts",
    "cache": ".dvc/cache",
}
MINUTES, HOUR = 300.0, 3600.0

T = TypeVar("T")


class House(Collector):
    def __init__(self, params: Params) -> None:
        self._params = params
        # Neither a hub elsewhere nor a hundred thousand files are looked at every quarter of a minute.
        self._releases = Remembered(self._reigns, MINUTES)
        self._stored = Remembered(stored, HOUR)

    def collect(self) -> Iterator[Metric]:
        up: dict[tuple[str, ...], float] = {}
        for name, source in self._sources().items():
            try:
                found = list(source())
            except (OSError, ValueError, LookupError, TypeError, Fixable):
                found = []
                up[(name,)] = 0.0
            yield from found
            up.setdefault((name,), 1.0)
        yield from gauge("source_up", "whether this part could be read", up, "source")

    def _sources(self) -> dict[str, Callable[[], Iterable[Metric]]]:
        return {
            "runs": self._booked,
            "hub": self._champion,
            "watch": self._looked,
            "disk": self._disk,
            "limits": lambda: families.limits(self._params),
        }

    def _booked(self) -> Iterator[Metric]:
        booked = runs.all_of(runs.place())
        yield from families.stages(booked)
        yield from families.money(booked, self._params.prices)
        yield from families.contests(booked)

    def _champion(self) -> Iterator[Metric]:
        yield from families.champion(self._releases(), self._params.age, datetime.now(UTC))

    def _reigns(self) -> list[hubs.Release]:
        return hubs.reigns(hubs.at(self._params.hub))

    def _looked(self) -> Iterator[Metric]:
        if found := seen.read():
            yield from families.looked(found)

    def _disk(self) -> Iterator[Metric]:
        disk, held = shutil.disk_usage("."), self._stored()
        yield from gauge("disk_bytes", "of the disk that holds the house", float(disk.total))
        yield from gauge("disk_free_bytes", "left of it", float(disk.free))
        yield from gauge("stored_bytes", "what is kept, by kind", held, "what")
        usd = costs.storage(int(sum(held.values())), self._params.prices)
        yield from gauge("storage_usd_per_month", "what keeping it costs", usd)


def stored() -> dict[tuple[str, ...], float]:
    there = {name: Path(place) for name, place in STORED.items() if Path(place).is_dir()}
    return {(name,): float(runs.size(place)) for name, place in there.items()}


class Remembered(Generic[T]):
    """What a call gave, for so many seconds."""

    def __init__(self, call: Callable[[], T], seconds: float) -> None:
        self._call, self._seconds = call, seconds
        self._kept: tuple[float, T] | None = None

    def __call__(self) -> T:
        now = time.monotonic()
        if self._kept is None or now - self._kept[0] > self._seconds:
            self._kept = now, self._call()
        return self._kept[1]
