"""Prompts as programs: what a picture shall show, put in words a painter understands."""

from collections.abc import Collection

import numpy as np

# How a street gets into a picture; the subnet's own real pictures are dashcam frames.
CAMERAS = (
    "dashcam photo through a windscreen",
    "street-level photo from a car",
    "wide-angle photo from the front of a lorry",
    "phone photo from the pavement",
    "photo from a bicycle lane",
)
PLACES = {
    "us": ("a suburban road in the United States", "a city street in Chicago", "a two-lane American highway"),
    "eu": ("a street in a German town", "a narrow street in Lisbon", "a country road in France"),
}
LIGHT = {
    "day": "in daylight",
    "dusk": "at dusk, low sun",
    "night": "at night, lit by street lamps and headlights",
}
WEATHER = {
    "clear": "clear sky",
    "overcast": "overcast sky",
    "rain": "heavy rain, wet reflecting asphalt, drops on the glass",
    "fog": "dense fog",
    "snow": "falling snow, snow on the road",
}
FLAWS = {
    "glare": "sun glare into the lens",
    "blur": "motion blur",
    "noise": "high ISO noise",
    "wet": "puddles on the road",
}
THINGS = {
    "us": (
        "orange traffic cones",
        "orange and white drums",
        "an orange ROAD WORK AHEAD sign",
        "workers in vests",
    ),
    "eu": (
        "red and white barriers",
        "red and white beacons",
        "a triangular BAUARBEITEN sign",
        "workers in vests",
    ),
}
LARGE = ("an excavator", "a road roller", "an open trench", "a lorry with a flashing arrow board")
LAYOUTS = {
    "site": "a road construction site across the lane: {things} and {large}",
    "single": "road works close by: {large} with {things}",
    "small": "a single small piece of roadwork at the side: only {thing}",
    "far": "far away down the road, small in the frame, road works: {things}",
}
# What has the colours of roadwork and is none: without these a model learns "orange".
NEAR_MISSES = (
    "an orange car", "a red and white shop awning", "fallen orange leaves", "a fire hydrant", "orange bins",
    "a mailbox", "a parked orange delivery van", "a red parasol",
)  # fmt: skip
NO_ROADWORK = "an ordinary open road with traffic, no construction of any kind"
NEGATIVE = "painting, cartoon, drawing, render, text, watermark, deformed, frame, collage"
WITHOUT = "traffic cones, construction signs, barriers, excavators, road works, " + NEGATIVE


def prompt(label: int, tags: Collection[str], seed: int, caption: str | None = None) -> tuple[str, str]:
    """The prompt and the negative prompt; the same arguments give the same words."""
    rng = np.random.default_rng((seed, 3))
    region = "eu" if "eu" in tags else "us" if "us" in tags else _one(rng, tuple(PLACES))
    # What matters most comes first: CLIP reads 77 tokens and no more.
    parts = [
        _roadwork(rng, region, tags) if label else NO_ROADWORK,
        *([_one(rng, NEAR_MISSES)] if "near-miss" in tags or (not label and rng.random() < 0.5) else []),
        *(words for table in (LIGHT, WEATHER, FLAWS) for tag, words in table.items() if tag in tags),
        f"{_one(rng, CAMERAS)} of {caption or _one(rng, PLACES[region])}",
    ]
    return ", ".join(parts), NEGATIVE if label else WITHOUT


def _roadwork(rng: np.random.Generator, region: str, tags: Collection[str]) -> str:
    kind = next((kind for kind in LAYOUTS if kind in tags), _one(rng, tuple(LAYOUTS)))
    two = rng.choice(THINGS[region], 2, replace=False)
    return LAYOUTS[kind].format(thing=two[0], things=" and ".join(two), large=_one(rng, LARGE))


def _one(rng: np.random.Generator, of: tuple[str, ...]) -> str:
    return of[int(rng.integers(len(of)))]
