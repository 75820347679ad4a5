"""Where the ordinary things of a street stand, and the ones that only look like roadwork."""

from collections.abc import Callable, Iterator

import numpy as np

from pipeline.world.conditions import Conditions
from pipeline.world.thing import Street, Thing
from pipeline.world.traffic import PLAIN

SIDES = (-1.0, 1.0)
Rng = np.random.Generator


def street(rng: Rng, region: str) -> Street:
    kind = ("city", "suburb", "highway")[int(rng.choice(3, p=(0.52, 0.3, 0.18)))]
    lanes = {"city": int(rng.integers(2, 5)), "suburb": 2, "highway": int(rng.integers(3, 5))}[kind]
    pavement = {"city": within(rng, 2, 4), "suburb": within(rng, 1.2, 2.2), "highway": 0.0}[kind]
    return Street(kind, region, lanes, within(rng, 3.0, 3.6), pavement)


def scenery(rng: Rng, street: Street) -> tuple[Thing, ...]:
    """What was built or planted."""
    match street.kind:
        case "city":
            rows = (*_terraces(rng, street), *_trees(rng, street.edge + 0.9, 11.0, 0.45))
        case "suburb":
            rows = (*_houses(rng, street), *_trees(rng, street.edge + street.pavement + 1.5, 9.0, 0.6))
        case _:
            rows = (*_rails(rng, street), *_trees(rng, street.edge + within(rng, 5, 14), 8.0, 0.6))
    return (*rows, *_lamps(rng, street))


def traffic(rng: Rng, street: Street, conditions: Conditions) -> tuple[Thing, ...]:
    """Who is on the way, and who has parked."""
    return (*_driving(rng, street), *_parked(rng, street), *_walking(rng, street, conditions))


def lookalikes(rng: Rng, street: Street) -> tuple[Thing, ...]:
    """Two to six things in the colours of roadwork."""
    beside = tuple(LOOKALIKES) if street.kind == "city" else OUTDOOR if street.kind == "suburb" else ROADSIDE
    kinds = rng.choice(len(beside), size=int(rng.integers(2, 7)))
    return tuple(LOOKALIKES[beside[int(kind)]](rng, street) for kind in kinds)


def seed(rng: Rng) -> int:
    return int(rng.integers(2**31))


def within(rng: Rng, low: float, high: float) -> float:
    return float(rng.uniform(low, high))


def side(rng: Rng) -> float:
    return SIDES[int(rng.integers(2))]


def _kerbside(kind: str, style: str = "") -> Callable[[Rng, Street], Thing]:
    def place(rng: Rng, street: Street) -> Thing:
        x = side(rng) * (street.edge + within(rng, 0.5, max(0.9, 0.8 * street.pavement)))
        return Thing(kind, x, within(rng, 4.5, 15), seed(rng), style, within(rng, 0.8, 2.0))

    return place


def _on_wall(kind: str) -> Callable[[Rng, Street], Thing]:
    def place(rng: Rng, street: Street) -> Thing:
        wall = street.edge + street.pavement - (0.1 if kind == "awning" else 0.7)
        return Thing(kind, side(rng) * wall, within(rng, 4, 15), seed(rng), "", within(rng, 0.8, 2.4))

    return place


def _vehicle(kind: str) -> Callable[[Rng, Street], Thing]:
    def place(rng: Rng, street: Street) -> Thing:
        lane = int(rng.integers(street.lanes))
        x = -street.edge + (lane + 0.5) * street.lane
        style = ("orange", "orange", "yellow")[int(rng.integers(3))] + (" oncoming" if x < 0 else "")
        return Thing(kind, x, within(rng, 7, 18), seed(rng), style, within(rng, 0.9, 1.6))

    return place


def _passer_by(rng: Rng, street: Street) -> Thing:
    x = side(rng) * (street.edge + within(rng, -0.5, 1.5))
    return Thing("walker", x, within(rng, 5, 14), seed(rng), ("orange", "yellow")[int(rng.integers(2))])


LOOKALIKES: dict[str, Callable[[Rng, Street], Thing]] = {
    "awning": _on_wall("awning"),
    "shop_sign": _on_wall("shop_sign"),
    "parasol": _kerbside("parasol"),
    "banner": _kerbside("banner"),
    "hydrant": _kerbside("hydrant"),
    "bin": _kerbside("bin"),
    "shrub": _kerbside("shrub"),
    "bollards": _kerbside("bollards"),
    "boom": _kerbside("boom"),
    "walker": _passer_by,
    "traffic_sign": _kerbside("traffic_sign"),
    "car": _vehicle("car"),
    "van": _vehicle("van"),
}
OUTDOOR = tuple(kind for kind in LOOKALIKES if kind not in ("awning", "shop_sign", "parasol"))
ROADSIDE = ("shrub", "traffic_sign", "car", "van", "bollards")


def _terraces(rng: Rng, street: Street) -> Iterator[Thing]:
    for where in SIDES:
        z = within(rng, -8, 0)
        while z < 130:
            length = within(rng, 9, 24)
            if rng.random() < 0.88:
                yield Thing("terrace", where * (street.edge + street.pavement), z, seed(rng), "", length)
            z += length


def _houses(rng: Rng, street: Street) -> Iterator[Thing]:
    for where in SIDES:
        z = within(rng, 2, 10)
        setback = street.edge + street.pavement + within(rng, 4, 9)
        while z < 110:
            length = within(rng, 7, 12)
            yield Thing("house", where * setback, z, seed(rng), "", length)
            z += length + within(rng, 3, 12)


def _trees(rng: Rng, x: float, pitch: float, share: float) -> Iterator[Thing]:
    style = "bare" if rng.random() < 0.2 else ""
    for where in SIDES:
        for z in np.arange(within(rng, 5, 12), 95, pitch):
            if rng.random() < share:
                size = within(rng, 0.8, 1.5)
                yield Thing("tree", where * (x + within(rng, 0, 1.2)), float(z), seed(rng), style, size)


def _rails(rng: Rng, street: Street) -> Iterator[Thing]:
    for where in SIDES:
        if rng.random() < 0.7:
            for z in np.arange(1.3, 90, 12.0):
                yield Thing("rail", where * (street.edge + 0.9), float(z), seed(rng), "", 12.0)


def _lamps(rng: Rng, street: Street) -> Iterator[Thing]:
    phase, sides = within(rng, 4, 22), (side(rng),) if rng.random() < 0.6 else SIDES
    for where in sides:
        for z in np.arange(phase, 100, 24.0):
            yield Thing("street_lamp", where * (street.edge + 0.6), float(z), seed(rng))


def _driving(rng: Rng, street: Street) -> Iterator[Thing]:
    for lane in range(street.lanes):
        x = -street.edge + (lane + 0.5) * street.lane
        way = "oncoming" if x < 0 and street.kind != "highway" else ""
        z = within(rng, 9, 40)
        while z < 90:
            if rng.random() < 0.55:
                yield _car(rng, x + within(rng, -0.3, 0.3), z, way)
            z += within(rng, 14, 45)


def _parked(rng: Rng, street: Street) -> Iterator[Thing]:
    if street.kind == "highway":
        return
    for where in SIDES:
        way = "oncoming parked" if where < 0 else "parked"
        if rng.random() < 0.55:
            for z in np.arange(within(rng, 6, 14), 70, 6.2):
                if rng.random() < 0.6:
                    yield _car(rng, where * (street.edge - 1.0), float(z), way)


def _car(rng: Rng, x: float, z: float, way: str) -> Thing:
    kind = "van" if rng.random() < 0.13 else "car"
    paint = PLAIN[int(rng.choice(8, p=(0.2, 0.18, 0.18, 0.17, 0.1, 0.08, 0.04, 0.05)))]
    return Thing(kind, x, z, seed(rng), f"{paint} {way}", within(rng, 0.9, 1.8))


def _walking(rng: Rng, street: Street, conditions: Conditions) -> Iterator[Thing]:
    busy = {"city": 4.0, "suburb": 1.2, "highway": 0.0}[street.kind] * (0.6 if conditions.dark else 1.0)
    for _ in range(int(rng.poisson(busy))):
        x = side(rng) * (street.edge + within(rng, 0.5, 0.6 + street.pavement))
        kind = "cyclist" if rng.random() < 0.15 else "walker"
        yield Thing(kind, x if kind == "walker" else x * 0.7, within(rng, 6, 45), seed(rng))
