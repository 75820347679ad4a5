"""How bright a colour is where it stands: daylight, headlights, street lamps, and the air in between."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.world.conditions import Conditions

Colour = tuple[int, int, int]

_AMBIENT = {"day": (1.0, 1.0, 1.0), "dusk": (0.60, 0.50, 0.52), "night": (0.10, 0.105, 0.15)}
_CLOUDED = (0.84, 0.86, 0.90)
_BEAM = {"day": 0.0, "dusk": 0.30, "night": 0.62}
_LAMP = {"day": 0.0, "dusk": 0.16, "night": 0.34}
_AIR = {"day": (206, 211, 216), "dusk": (150, 128, 132), "night": (40, 42, 52)}
_REACH = {"clear": 900.0, "overcast": 700.0, "rain": 60.0, "fog": 48.0, "snow": 110.0}


@dataclass(frozen=True)
class Light:
    ambient: tuple[float, float, float]
    beam: float
    lamp: float
    air: Colour
    reach: float  # metres after which the air has swallowed two thirds
    shadow: float
    sun: float  # metres a shadow falls sideways per metre of height
    lamps: tuple[tuple[float, float], ...]  # where street lamps stand (x, z)

    def at(self, x: float, z: float, reflect: float = 0.0) -> tuple[float, float, float]:
        """The factor for each channel; `reflect` is how much of our own headlights comes straight back."""
        extra = self.beam * (1 + 1.2 * reflect) * _cone(x, z)
        extra += self.lamp * sum(_pool(x - lamp_x, z - lamp_z) for lamp_x, lamp_z in self.lamps)
        red, green, blue = self.ambient
        return red + extra, green + 0.93 * extra, blue + 0.78 * extra

    def shade(self, colour: Colour, x: float, z: float, reflect: float = 0.0) -> tuple[float, float, float]:
        clear = float(np.exp(-z / self.reach))
        red, green, blue = self.at(x, z, reflect)
        return (
            min(255.0, colour[0] * red) * clear + self.air[0] * (1 - clear),
            min(255.0, colour[1] * green) * clear + self.air[1] * (1 - clear),
            min(255.0, colour[2] * blue) * clear + self.air[2] * (1 - clear),
        )

    def ground(self, x: NDArray[np.float32], z: NDArray[np.float32]) -> NDArray[np.float32]:
        """`at` for a whole map of places on the road."""
        extra = self.beam * np.exp(-z / 20) * np.exp(-((x / (1.5 + 0.28 * z)) ** 2))
        for lamp_x, lamp_z in self.lamps:
            extra = extra + self.lamp * np.exp(-((x - lamp_x) ** 2 + (z - lamp_z) ** 2) / 60)
        factor: NDArray[np.float32] = np.array(self.ambient, np.float32) + extra[:, :, None] * np.array(
            (1.0, 0.93, 0.78), np.float32
        )
        return factor


def light(conditions: Conditions, rng: np.random.Generator, lamps: tuple[tuple[float, float], ...]) -> Light:
    hour, weather = conditions.hour, conditions.weather
    sunny = weather == "clear"
    cover = (1.0, 1.0, 1.0) if sunny else _CLOUDED
    strength = float(rng.uniform(0.85, 1.12))
    red, green, blue = (level * part * strength for level, part in zip(_AMBIENT[hour], cover, strict=True))
    return Light(
        ambient=(red, green, blue),
        beam=_BEAM[hour] * (0.6 if weather == "fog" else 1.0),
        lamp=_LAMP[hour],
        air=_AIR[hour],
        reach=_REACH[weather] * float(rng.uniform(0.7, 1.4)),
        shadow={"day": 0.5 if sunny else 0.14, "dusk": 0.18, "night": 0.10}[hour],
        sun=float(rng.uniform(-1.4, 1.4)),
        lamps=lamps if conditions.dark else (),
    )


def _cone(x: float, z: float) -> float:
    return float(np.exp(-z / 20 - (x / (2.5 + 0.3 * z)) ** 2))


def _pool(across: float, along: float) -> float:
    return float(np.exp(-(across**2 + along**2) / 60))
