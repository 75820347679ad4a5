"""The picture of `benchmarks.engines`: speed to the right, what it costs upwards."""

from pathlib import Path
from typing import Any

COLOURS = {"onnx": "#4c72b0", "onnx-fp16": "#55a868", "onnx-int8": "#c44e52"}


def draw(rows: list[dict[str, Any]], file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (speed, cost) = pyplot.subplots(1, 2, figsize=(11, 4), layout="constrained")
    models = list(dict.fromkeys(row["model"] for row in rows))
    for number, engine in enumerate(COLOURS):
        mine = [row for row in rows if row["engine"] == engine]
        places = [models.index(row["model"]) + (number - 1) * 0.27 for row in mine]
        speed.barh(places, [row["times_fp32"] for row in mine], 0.25, color=COLOURS[engine], label=engine)
        cost.barh(places, [row["logit"] for row in mine], 0.25, color=COLOURS[engine])
    for axes in (speed, cost):
        axes.set_yticks(range(len(models)), models)
        axes.invert_yaxis()
    speed.axvline(1.5, color="grey", linestyle=":")
    speed.set_xlabel("times as fast as fp32, one thread, one run")
    cost.set_xscale("log")
    cost.set_xlabel("largest distance of a logit from float32 torch")
    figure.legend(*speed.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    figure.savefig(file, dpi=110)
    pyplot.close(figure)
