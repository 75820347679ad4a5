"""What runs cost by the price table, per stage and night."""

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.accounts.runs import Run
from pipeline.params import Prices


@dataclass(frozen=True)
class Cost:
    """In USD."""

    cpu: float = 0.0
    gpu: float = 0.0
    painters: float = 0.0

    @property
    def usd(self) -> float:
        return self.cpu + self.gpu + self.painters

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.cpu + other.cpu, self.gpu + other.gpu, self.painters + other.painters)


def of(run: Run, prices: Prices) -> Cost:
    return Cost(
        cpu=run.cpu_seconds / 3600 * prices.cpu_hour,
        gpu=run.gpu_seconds / 3600 * prices.gpu_hour,
        painters=run.painters_usd,
    )


def total(runs: Iterable[Run], prices: Prices) -> Cost:
    return sum((of(run, prices) for run in runs), Cost())


def nights(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """The runs of each night; the night that began last is the last."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(run.night, []).append(run)
    return dict(sorted(found.items(), key=lambda one: one[1][-1].began))


def latest(runs: Iterable[Run]) -> list[Run]:
    return next(reversed(nights(runs).values()), [])


def storage(held: int, prices: Prices) -> float:
    """USD a month for so many bytes."""
    return held / 1e9 * prices.gb_month
