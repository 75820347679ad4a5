"""The race in one picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.serving.entrants import OURS
from benchmarks.serving.plans import HEADLINE
from benchmarks.serving.race import Alone
from benchmarks.serving.table import Line

COLOURS = {
    "": "#d9480f",
    "journalling": "#f08c00",
    "our preprocessing": "#1c7ed6",
    "tuned": "#74c0fc",
    "first page": "#ced4da",
}


def draw(found: Sequence[Line], alone: Sequence[Alone], file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, ((speed, cpu), (tail, memory)) = pyplot.subplots(2, 2, figsize=(13, 9.5))
    here = sorted(
        (one for one in found if (one.model, one.cell) == ("nano", HEADLINE.title)), key=lambda one: one.rps
    )
    _bars(speed, here, [one.rps for one in here], "requests per second, 32 clients, JSON")
    _bars(cpu, here, [one.cpu_ms for one in here], "CPU ms per request, and the floor of the same work")
    cpu.plot([one.floor_ms for one in here], range(len(here)), "|", color="black", markersize=13)
    _latency(tail, found)
    held = sorted(alone, key=lambda one: -one.mib)
    _bars(memory, held, [one.mib for one in held], "MiB (PSS) after load")
    for axes in (speed, cpu, tail, memory):
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(file, dpi=120)
    pyplot.close(figure)


def _bars(axes: Any, ones: Sequence[Line | Alone], values: list[float], title: str) -> None:
    axes.barh([one.title for one in ones], values, color=[COLOURS[one.dress] for one in ones])
    axes.set_title(title, fontsize=10, loc="left")
    axes.tick_params(axis="y", labelsize=8)


def _latency(axes: Any, found: Sequence[Line]) -> None:
    for name in dict.fromkeys(one.name for one in found if one.dress in ("", "our preprocessing")):
        ones = [one for one in found if one.name == name and one.dress in ("", "our preprocessing")]
        points = sorted((int(one.cell[5:]), one.p99_ms) for one in ones if _is_closed_json(one))
        ours = name == OURS
        axes.plot(
            *zip(*points, strict=True),
            "o-",
            label=name,
            linewidth=3 if ours else 1.2,
            color="#d9480f" if ours else None,
        )
    axes.set(xscale="log", yscale="log", xlabel="clients")
    axes.set_title("p99 ms, JSON, all with the same preprocessing", fontsize=10, loc="left")
    axes.legend(frameon=False, fontsize=8)


def _is_closed_json(line: Line) -> bool:
    return line.model == "nano" and line.cell.startswith("json ") and line.cell[5:].isdecimal()
