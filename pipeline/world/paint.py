"""From a scene to its picture."""

from collections.abc import Callable, Iterable

import numpy as np

from pipeline.challenge import Pixels
from pipeline.world import ground, houses, lookalikes, machines, roadwork, sky, traffic, weather
from pipeline.world.canvas import Canvas
from pipeline.world.light import light
from pipeline.world.scene import Scene
from pipeline.world.thing import Thing

Drawing = Callable[[Canvas, Thing], None]

DRAWINGS: dict[str, Drawing] = {
    drawing.__name__: drawing
    for drawing in (
        *(houses.terrace, houses.house, houses.tree, houses.street_lamp, houses.rail),
        *(traffic.car, traffic.van, traffic.walker, traffic.cyclist),
        *(roadwork.cone, roadwork.drum, roadwork.beacon, roadwork.barrier, roadwork.sign, roadwork.fence),
        *(roadwork.worker, roadwork.wall, roadwork.trench),
        *(machines.excavator, machines.roller, machines.work_truck, machines.arrow_board),
        *(
            lookalikes.hydrant,
            lookalikes.awning,
            lookalikes.shop_sign,
            lookalikes.traffic_sign,
            lookalikes.bin,
        ),
        *(lookalikes.shrub, lookalikes.bollards, lookalikes.boom, lookalikes.parasol, lookalikes.banner),
    )
}


def paint(scene: Scene) -> Pixels:
    """640 x 360 RGB; the same scene gives the same pixels."""
    rng = np.random.default_rng((scene.seed, 1))
    canvas = Canvas(scene.camera, light(scene.conditions, rng, _lamps(scene.scenery)))
    sky.sky(canvas, scene.conditions, rng)
    sky.backdrop(canvas, scene.street.kind, rng)
    ground.ground(canvas, scene.street, scene.conditions, rng)
    _draw(canvas, scene.scenery)
    if scene.conditions.wet:
        weather.puddle(canvas, scene.street)
    _draw(canvas, (*scene.traffic, *scene.lookalikes, *scene.works))
    weather.bloom(canvas)
    fallen = weather.fall(canvas.pixels, scene.conditions, rng)
    return weather.expose(fallen, scene.conditions, rng)


def _draw(canvas: Canvas, things: Iterable[Thing]) -> None:
    """The farthest first, so that what is nearer covers it."""
    for thing in sorted(things, key=lambda thing: -thing.z):
        DRAWINGS[thing.kind](canvas, thing)


def _lamps(scenery: Iterable[Thing]) -> tuple[tuple[float, float], ...]:
    return tuple(
        (0.75 * thing.x, thing.z) for thing in scenery if thing.kind == "street_lamp" and thing.z < 60
    )
