"""When and in what weather a picture is taken, and how often each happens in a mix of pictures."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

HOURS = ("day", "dusk", "night")
WEATHERS = ("clear", "overcast", "rain", "fog", "snow")
FLAWS = ("glare", "blur", "noise")
REGIONS = ("us", "eu")
LAYOUTS = ("site", "single", "small", "far")


@dataclass(frozen=True)
class Mix:
    """Shares of hours, weathers, camera flaws and layouts of roadwork, in the order of the names above."""

    hours: tuple[float, ...]
    weathers: tuple[float, ...]
    flaws: tuple[float, ...]
    layouts: tuple[float, ...]
    near_misses: tuple[float, float]  # in pictures without, and with, roadwork
    abroad: float  # share of streets in "eu", where roadwork is red and white


MIXES = {
    # What is easy to collect: at home, by day, in fair weather, large sites, and else nothing orange.
    "base": Mix(
        hours=(0.95, 0.04, 0.01),
        weathers=(0.70, 0.26, 0.02, 0.01, 0.01),
        flaws=(0.02, 0.02, 0.02),
        layouts=(0.90, 0.08, 0.01, 0.01),
        near_misses=(0.08, 0.08),
        abroad=0.0,
    ),
    # What validators send.
    "traffic": Mix(
        hours=(0.64, 0.14, 0.22),
        weathers=(0.46, 0.24, 0.14, 0.08, 0.08),
        flaws=(0.08, 0.07, 0.08),
        layouts=(0.54, 0.30, 0.09, 0.07),
        near_misses=(0.66, 0.25),
        abroad=0.45,
    ),
}


@dataclass(frozen=True)
class Conditions:
    hour: str
    weather: str
    flaws: tuple[str, ...]
    wet: bool

    @property
    def dark(self) -> bool:
        return self.hour != "day"


def conditions(rng: np.random.Generator, mix: Mix, pinned: Collection[str]) -> Conditions:
    hour = choose(rng, HOURS, mix.hours, pinned)
    weather = choose(rng, WEATHERS, mix.weathers, pinned)
    draws = rng.random(len(FLAWS))
    flaws = tuple(
        flaw
        for flaw, share, draw in zip(FLAWS, mix.flaws, draws, strict=True)
        if flaw in pinned or (draw < share and _fits(flaw, hour, weather))
    )
    wet = weather == "rain" or "wet" in pinned or (weather == "overcast" and rng.random() < 0.25)
    return Conditions(hour, weather, flaws, wet)


def choose(
    rng: np.random.Generator, names: tuple[str, ...], shares: tuple[float, ...], pinned: Collection[str]
) -> str:
    """One of the names by its share; a pinned name wins, and the draw is made all the same."""
    drawn = names[int(np.searchsorted(np.cumsum(shares), rng.random() * sum(shares)))]
    return next((name for name in names if name in pinned), drawn)


def _fits(flaw: str, hour: str, weather: str) -> bool:
    return flaw != "glare" or (hour != "night" and weather == "clear")
