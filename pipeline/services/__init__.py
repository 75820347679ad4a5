"""What runs beside the pipeline. `up` twice makes one set; `down` leaves no process behind."""

import sys
from collections.abc import Callable, Collection
from pathlib import Path

NAMES = ("mongo", "airflow", "triggerer", "runtime", "app")


def up(names: Collection[str] = NAMES, champion: Callable[[], Path] | None = None) -> None:
    """All of them ready, started side by side. `champion` names the bundle that a new runtime serves.

    A night needs no triggerer and no app, and is faster without.
    """
    from pipeline.services import airflow, app, mongo, records, runtime, supervise

    with records.locked("house"):
        if "mongo" in names:
            mongo.up()
        waiting = [app.launch()] if "app" in names else []
        if "runtime" in names and champion:
            waiting.append(runtime.launch(champion))
        if "airflow" in names:
            airflow.start(tuple(airflow.COMPONENTS) if "triggerer" in names else airflow.NIGHT)
        supervise.wait(waiting)


def down(names: Collection[str] = NAMES) -> None:
    """Stops them, and whatever they left behind when something was killed."""
    from pipeline.services import records, remains

    with records.locked("house"):
        # Last what others stand on: tasks report to the API server, the App reads MongoDB.
        last = {"mongo", "airflow-api-server"}
        parts = {part for name in names for part in _parts(name)}
        ended = remains.stop(*sorted(parts - last), grace=20) + remains.stop(*sorted(parts & last))
        strays = remains.sweep()
    said = ", ".join([*ended, *([f"{len(strays)} strays"] if strays else [])])
    print(f"stopped {said}" if said else "nothing was running", file=sys.stderr)


def _parts(name: str) -> tuple[str, ...]:
    """The processes behind a name."""
    from pipeline.services import airflow

    match name:
        case "airflow":
            return tuple(airflow.COMPONENTS)
        case "triggerer":
            return (airflow.TRIGGERER,)
    return (name,)


def status(with_memory: bool = False) -> None:
    """Prints a table: service, state, pid, where; and what each holds, which takes a moment to add up."""
    from pipeline.services import memory

    held = memory.held() if with_memory else {}
    print(f"{'service':<22} {'state':<6} {'pid':>7}  {'MB      ' if with_memory else ''}where")
    for part in dict.fromkeys(part for name in NAMES for part in _parts(name)):
        state, pid, where = _state(part)
        size = f"{held.get(part, 0) / 1e6:<8.0f}" if with_memory else ""
        print(f"{part:<22} {state:<6} {pid:>7}  {size}{where}".rstrip())
    if with_memory:
        print(f"{'in all':<22} {'':<6} {'':>7}  {sum(held.values()) / 1e6:.0f}")


def _state(name: str) -> tuple[str, int | str, str]:
    from pipeline.services import records

    record = records.known(name)
    if record is None:
        return "down", "", ""
    if records.alive(record):
        return "up", record.pid, record.url
    return "died", "", f"see {records.log_of(name)}"
