"""Where roadwork stands: a whole site, a single thing close by, one small thing, or something far away."""

from collections.abc import Iterator

import numpy as np

from pipeline.world.canvas import WIDTH, Camera
from pipeline.world.furnish import Rng, seed, side
from pipeline.world.thing import Street, Thing

_LARGE = ("barrier", "work_truck", "excavator", "arrow_board", "wall", "trench", "roller", "fence")
_MIDDLE = ("barrier", "sign", "worker", "drum", "cone")
_SMALL = ("cone", "cone", "drum", "sign", "worker", "barrier")


def layout(rng: Rng, kind: str, street: Street, camera: Camera) -> tuple[Thing, ...]:
    match kind:
        case "site":
            return tuple(_site(rng, street))
        case "single":
            return tuple(_single(rng, street, camera))
        case "small":
            return (_one(rng, _SMALL, street, camera, (9, 19)),)
        case "far":
            kinds = _LARGE if rng.random() < 0.4 else _SMALL
            return tuple(_one(rng, kinds, street, camera, (24, 42)) for _ in range(int(rng.integers(1, 4))))
    raise ValueError(f"no layout of roadwork {kind!r}")


def _site(rng: Rng, street: Street) -> Iterator[Thing]:
    """A lane closed by a taper of cones, with whatever the crew is doing behind it."""
    where, start = side(rng), float(rng.uniform(6, 15))
    kerb, inner = where * street.edge, where * (street.edge - street.lane * float(rng.uniform(0.7, 1.1)))
    middle = (kerb + inner) / 2
    yield from _taper(rng, street, (kerb, inner), start)
    yield _thing(rng, "sign", kerb + where * 0.6, max(5.0, start - float(rng.uniform(0, 5))), street)
    for _ in range(int(rng.integers(1, 3))):
        kind = _LARGE[int(rng.integers(len(_LARGE)))]
        yield _thing(
            rng, kind, middle + float(rng.uniform(-0.8, 0.8)), start + float(rng.uniform(7, 20)), street
        )
    for _ in range(int(rng.integers(0, 4))):
        x = middle + float(rng.uniform(-1.5, 1.5))
        yield _thing(rng, "worker", x, start + float(rng.uniform(4, 18)), street)
    if rng.random() < 0.5:
        yield _thing(rng, "barrier", middle, start + float(rng.uniform(3, 7)), street)


def _taper(rng: Rng, street: Street, across: tuple[float, float], start: float) -> Iterator[Thing]:
    kind = ("cone", "drum")[int(rng.random() < 0.35)]
    size, pitch = float(rng.uniform(0.9, 1.25)), float(rng.uniform(2.2, 3.6))
    for index in range(int(rng.integers(6, 12))):
        share = min(1.0, index / 5)
        x = across[0] + (across[1] - across[0]) * share + float(rng.uniform(-0.12, 0.12))
        yield Thing(kind, x, start + pitch * index, seed(rng), street.region, size)


def _single(rng: Rng, street: Street, camera: Camera) -> Iterator[Thing]:
    if rng.random() < 0.45:
        yield _one(rng, _LARGE, street, camera, (9, 18))
        return
    first = _one(rng, _MIDDLE, street, camera, (6, 12))
    yield first
    for _ in range(int(rng.integers(0, 3))):
        kind = _MIDDLE[int(rng.integers(len(_MIDDLE)))]
        yield _thing(
            rng, kind, first.x + float(rng.uniform(-2, 2)), first.z + float(rng.uniform(0, 5)), street
        )


def _one(
    rng: Rng, kinds: tuple[str, ...], street: Street, camera: Camera, depth: tuple[float, float]
) -> Thing:
    """Somewhere between the walls of the street and not at the very rim of the frame."""
    z = float(rng.uniform(*depth))
    column = WIDTH / 2 + float(np.clip(rng.normal(0, 110), -230, 230))
    limit = street.edge + 0.6 * street.pavement + 0.4
    x = float(np.clip(camera.x + (column - camera.centre) * z / camera.focal, -limit, limit))
    return _thing(rng, kinds[int(rng.integers(len(kinds)))], x, z, street)


def _thing(rng: Rng, kind: str, x: float, z: float, street: Street) -> Thing:
    size = {"wall": rng.uniform(3, 8), "fence": rng.uniform(1, 2.2), "trench": rng.uniform(0.8, 1.5)}
    return Thing(kind, x, z, seed(rng), street.region, float(size.get(kind, rng.uniform(0.9, 1.15))))
