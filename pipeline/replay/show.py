"""The report of a campaign: a table to read and a picture to keep."""

from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table

from pipeline import challenge
from pipeline.replay.scores import Score


def table(name: str, rows: list[Score], ceiling: float | None) -> None:
    columns = ("slice", "n", "accuracy", "MCC", "reward", "95 %")
    shown = Table(*columns, title=f"{name}: expected reward", title_justify="left", box=None)
    for row in rows:
        mcc = "" if row.mcc is None else f"{row.mcc:.3f}"
        reward = f"{row.reward:.3f}{' *' if row.borrowed else ''}"
        shown.add_row(
            row.slice,
            str(row.n),
            f"{row.accuracy:.3f}",
            mcc,
            reward,
            f"{row.low:.3f} to {row.high:.3f}",
            style="bold" if row.slice == "all" else None,
        )
    console = Console(highlight=False)
    console.print(shown)
    if any(row.borrowed for row in rows):
        console.print("* one label only: the other half of its stream is the whole campaign's")
    console.print(said_of(ceiling))


def said_of(ceiling: float | None) -> str:
    if ceiling is None:
        return "noise ceiling: not known, for nobody has said where in these pictures the roadwork is"
    return f"noise ceiling: {ceiling:.3f}, for who is wrong only where the crop cut the roadwork out"


def picture(rows: list[Score], ceiling: float | None, played: pl.DataFrame, name: str, file: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 1.5 + 0.24 * len(rows)), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    places = range(len(rows), 0, -1)
    for place, row in zip(places, rows, strict=True):
        left.plot([row.low, row.high], [place, place], color="tab:orange", linewidth=3, alpha=0.5)
        left.plot(row.reward, place, "o", color="tab:red")
    left.set_yticks(places, [f"{row.slice} ({row.n})" for row in rows])
    left.set_xlabel("expected reward, 95 % interval")
    left.set_title(name)
    right.plot(challenge.ema(challenge.reward(played["label"], played["p"])), color="tab:red")
    right.set(xlabel="challenge", title="the validator's moving average", ylim=(0, 1))
    if ceiling is not None:
        left.axvline(ceiling, color="grey", linestyle=":")
        right.axhline(ceiling, color="grey", linestyle=":", label="noise ceiling")
        right.legend()
    FigureCanvasAgg(figure).print_png(file)
