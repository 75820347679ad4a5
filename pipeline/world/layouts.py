"""Where roadwork stands: a whole site, a single thing close by, one small thing, or something far away."""

from collections.abc import Iterator

import numpy as np

from pipeline.world.canvas import WIDTH, Camera
from pipeline.world.furnish import Rng, seed, side, within
from pipeline.world.thing import Street, Thing

_LARGE = ("barrier", "work_truck", "excavator", "arrow_board", "wall", "trench", "roller", "fence")
_MIDDLE = ("barrier", "sign", "worker", "guide", "cone")
_SMALL = ("cone", "cone", "guide", "sign", "worker", "barrier")


def layout(rng: Rng, kind: str, street: Street, camera: Camera) -> tuple[Thing, ...]:
    match kind:
        case "site":
            return tuple(_site(rng, street, camera))
        case "single":
            return tuple(_single(rng, street, camera))
        case "small":
            return (_one(rng, ("cone", "cone", "guide"), street, camera, (5, 10)),)
        case "far":
            kinds = _LARGE if rng.random() < 0.5 else _SMALL
            return tuple(_one(rng, kinds, street, camera, (11, 19)) for _ in range(int(rng.integers(2, 5))))
    raise ValueError(f"no layout of roadwork {kind!r}")


def _site(rng: Rng, street: Street, camera: Camera) -> Iterator[Thing]:
    """Cones that lead from the edge of the frame across the lane, and behind them what the crew is doing."""
    where, start = side(rng), within(rng, 4, 7)
    middle = _across(camera, float(rng.normal(0, 60)), start + 5)
    outer = middle + where * within(rng, 1.2, 2.2)
    inner = middle - where * within(rng, 0.8, 2.2)
    yield from _taper(rng, street, (outer, inner), start)
    yield _thing(rng, "sign", outer + where * 0.5, start + within(rng, 0.5, 5), street)
    yield _thing(rng, "barrier", middle + where * within(rng, 0, 1), start + within(rng, 2, 4), street)
    for _ in range(int(rng.integers(1, 3))):
        yield _thing(
            rng, _pick(rng, _LARGE), middle + within(rng, -1.5, 1.5), start + within(rng, 4, 10), street
        )
    for _ in range(int(rng.integers(0, 4))):
        yield _thing(rng, "worker", middle + within(rng, -2, 2), start + within(rng, 1.5, 8), street)


def _taper(rng: Rng, street: Street, across: tuple[float, float], start: float) -> Iterator[Thing]:
    kind = "cone" if rng.random() < 0.6 else _guide(street)
    size, pitch, steps = within(rng, 1.0, 1.35), within(rng, 1.2, 2.2), int(rng.integers(4, 7))
    for index in range(int(rng.integers(7, 13))):
        share = min(1.0, index / steps)
        x = across[0] + (across[1] - across[0]) * share + within(rng, -0.12, 0.12)
        yield Thing(kind, x, start + pitch * index, seed(rng), street.region, size)


def _single(rng: Rng, street: Street, camera: Camera) -> Iterator[Thing]:
    """One thing close by and what guards it, or a few small ones that belong together."""
    if rng.random() < 0.5:
        large = _one(rng, _LARGE, street, camera, (6, 10))
        yield large
        for _ in range(int(rng.integers(1, 4))):
            kind = _pick(rng, _SMALL)
            yield _thing(rng, kind, large.x + within(rng, -2, 2), large.z - within(rng, 0.3, 2), street)
        return
    first = _one(rng, _MIDDLE, street, camera, (4, 7))
    yield first
    for _ in range(int(rng.integers(1, 4))):
        kind = _pick(rng, _MIDDLE)
        yield _thing(rng, kind, first.x + within(rng, -2, 2), first.z + within(rng, 0, 4), street)


def _one(
    rng: Rng, kinds: tuple[str, ...], street: Street, camera: Camera, depth: tuple[float, float]
) -> Thing:
    """Somewhere between the walls of the street and not at the very rim of the frame."""
    z, limit = within(rng, *depth), street.edge + 0.6 * street.pavement + 0.4
    x = _across(camera, float(np.clip(rng.normal(0, 85), -190, 190)), z)
    return _thing(rng, _pick(rng, kinds), float(np.clip(x, -limit, limit)), z, street)


def _pick(rng: Rng, kinds: tuple[str, ...]) -> str:
    return kinds[int(rng.integers(len(kinds)))]


def _across(camera: Camera, column: float, z: float) -> float:
    """Where to stand at this depth to be seen so many pixels right of the middle of the frame."""
    return camera.x + (WIDTH / 2 + column - camera.centre) * z / camera.focal


def _guide(street: Street) -> str:
    """What leads traffic past, besides cones."""
    return "drum" if street.region == "us" else "beacon"


def _thing(rng: Rng, kind: str, x: float, z: float, street: Street) -> Thing:
    size = {"wall": rng.uniform(3, 8), "fence": rng.uniform(1, 2.2), "trench": rng.uniform(0.8, 1.5)}
    kind = _guide(street) if kind == "guide" else kind
    return Thing(kind, x, z, seed(rng), street.region, float(size.get(kind, rng.uniform(0.9, 1.15))))
