"""A scene is everything that decides a picture; it is drawn from a seed, and it knows its truth."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from pipeline.world import furnish
from pipeline.world.canvas import Camera
from pipeline.world.conditions import (
    FLAWS,
    HOURS,
    LAYOUTS,
    MIXES,
    REGIONS,
    WEATHERS,
    Conditions,
    Mix,
    choose,
    conditions,
)
from pipeline.world.layouts import layout
from pipeline.world.thing import Street, Thing

TAGS = frozenset((*HOURS, *WEATHERS, *FLAWS, *REGIONS, *LAYOUTS, "wet", "near-miss"))


@dataclass(frozen=True)
class Scene:
    seed: int
    label: int
    conditions: Conditions
    camera: Camera
    street: Street
    scenery: tuple[Thing, ...]
    traffic: tuple[Thing, ...]
    lookalikes: tuple[Thing, ...]
    works: tuple[Thing, ...]
    layout: str  # "" where there is no roadwork


def scene(seed: int, label: int | None = None, tags: Collection[str] = (), mix: str = "traffic") -> Scene:
    """The scene of this seed. Without a label it is roadwork in half of the cases; `tags` pins conditions."""
    _check(label, tags)
    rng = np.random.default_rng(seed)
    drawn = int(rng.random() < 0.5)
    layouts = set(tags) & set(LAYOUTS)
    label = label if label is not None else 1 if layouts else drawn
    return _compose(rng, seed, label, tags, MIXES[mix])


def tags(scene: Scene) -> list[str]:
    """What is true of a scene, for slices of a report: hour, weather, flaws, region, layout, near miss."""
    named = [scene.conditions.hour, scene.conditions.weather, *scene.conditions.flaws]
    named.append(scene.street.region)
    if scene.conditions.wet:
        named.append("wet")
    if scene.layout:
        named.append(scene.layout)
    if scene.lookalikes:
        named.append("near-miss")
    return sorted(named)


def _check(label: int | None, tags: Collection[str]) -> None:
    if unknown := set(tags) - TAGS:
        raise ValueError(f"no such tag: {', '.join(sorted(unknown))}; there are {', '.join(sorted(TAGS))}")
    if label == 0 and set(tags) & set(LAYOUTS):
        raise ValueError(
            f"a scene without roadwork cannot be tagged {', '.join(sorted(set(tags) & set(LAYOUTS)))}"
        )


def _compose(rng: np.random.Generator, seed: int, label: int, tags: Collection[str], mix: Mix) -> Scene:
    now = conditions(rng, mix, tags)
    street = furnish.street(rng, choose(rng, REGIONS, (1 - mix.abroad, mix.abroad), tags))
    camera = _camera(rng, street)
    scenery, traffic = furnish.scenery(rng, street), furnish.traffic(rng, street, now)
    near_miss = rng.random() < mix.near_misses[label] or "near-miss" in tags
    lookalikes = furnish.lookalikes(rng, street) if near_miss else ()
    kind = choose(rng, LAYOUTS, mix.layouts, tags) if label else ""
    works = layout(rng, kind, street, camera) if kind else ()
    traffic = tuple(thing for thing in traffic if not _hides(thing, works, camera))
    lookalikes = tuple(thing for thing in lookalikes if not _hides(thing, works, camera))
    return Scene(seed, label, now, camera, street, scenery, traffic, lookalikes, works, kind)


def _camera(rng: np.random.Generator, street: Street) -> Camera:
    """A windscreen, a bonnet or a lorry's cab, in a lane on the right-hand side, looking slightly astray."""
    height = float(rng.choice((1.15, 1.35, 1.5, 1.9, 2.5), p=(0.15, 0.3, 0.3, 0.15, 0.1)))
    lane = int(rng.integers(street.lanes // 2, street.lanes))
    x = -street.edge + (lane + 0.5) * street.lane + float(rng.normal(0, 0.3))
    return Camera(
        x, height, float(rng.uniform(500, 660)), float(rng.normal(172, 18)), float(rng.normal(320, 40))
    )


def _hides(thing: Thing, works: tuple[Thing, ...], camera: Camera) -> bool:
    """Whether a vehicle or the like would stand in front of the only roadwork there is to see."""
    if thing.z < 6 and abs(thing.x - camera.x) < 1.6:
        return True
    column, half = camera.project(thing.x, 0, thing.z)[0], 1.3 * camera.focal / thing.z
    return any(
        thing.z < work.z + 1 and abs(camera.project(work.x, 0, work.z)[0] - column) < half for work in works
    )
