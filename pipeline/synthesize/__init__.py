"""Paints variations of hard cases, both with and without roadwork, and drops the bad ones."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl

from inference_runtime import preprocess
from pipeline import images, samples
from pipeline.params import Backbone, Synthesize
from pipeline.synthesize import captions, filter, painters, plan, sheet
from pipeline.synthesize.books import Books, Entry, place
from pipeline.synthesize.easel import Easel, Work
from pipeline.synthesize.order import Order

PROFILE = "2026-01"
DROPPED = samples.PAINTED | {"declined": pl.String}


def run(params: Synthesize, backbone: Backbone, pull: Path, mine: Path, out: Path) -> None:
    with Books(place()) as books:
        easel = Easel(planned(params, mine), params, books)
        work = easel.work()
        spent = easel.spent()
    painted = samples.frame([_row(*done) for done in work.done.items() if done[1].image], samples.PAINTED)
    painted = painted.unique("image", keep="first", maintain_order=True)
    reasons = filter.judge(painted, samples.read(pull), params.filter, backbone)
    judged = painted.with_columns(declined=pl.Series(reasons, dtype=pl.String))
    kept, dropped = (
        judged.filter(pl.col("declined").is_null()),
        judged.filter(pl.col("declined").is_not_null()),
    )
    samples.write(kept.drop("declined"), out)
    samples.write(pl.concat([dropped, _refused(work)]), out, "dropped.parquet")
    sheet.write(out / "sheet.html", kept, dropped)
    (out / "summary.json").write_text(json.dumps(_summary(kept, work, dropped, spent)))


def planned(params: Synthesize, mine: Path) -> list[Order]:
    modes = {name: painters.painter(name, params).modes for name in params.painters}
    slices = samples.read(mine, "slices.parquet")
    return plan.orders(samples.read(mine), slices, params, modes, captions.caption(params.captions))


def preview(params: Synthesize, mine: Path) -> list[str]:
    """What would be painted tonight, and what it would cost at the most."""
    orders = planned(params, mine)
    with Books(place()) as books:
        waiting = set(Easel(orders, params, books).waiting())
    lines = [f"{len(orders)} pictures, {len(orders) - len(waiting)} of them painted already"]
    for name in params.painters:
        theirs = [order for order in orders if order.painter == name and order in waiting]
        usd = sum(map(painters.painter(name, params).price, theirs))
        modes = ", ".join(f"{count} {mode}" for mode, count in Counter(o.mode for o in theirs).items())
        lines.append(f"{name}: {len(theirs)} to paint ({modes or 'none'}), at most {usd:.2f} USD")
        lines += [f"  {order.mode} {order.label} {' '.join(order.tags)}: {order.prompt}" for order in theirs]
    return [*lines, f"budget: {params.images} pictures, {params.seconds} s, {params.usd:.2f} USD"]


def _refused(work: Work) -> pl.DataFrame:
    rows = [{**_row(order, entry), "declined": entry.declined} for order, entry in work.done.items()]
    return samples.frame([row for row in rows if row["declined"]], DROPPED)


def _row(order: Order, entry: Entry) -> dict[str, Any]:
    size = preprocess.decode(images.read(entry.image)).shape[1::-1] if entry.image else (None, None)
    return {
        "image": entry.image,
        "source": order.painter,
        "family": order.family,
        "parent": order.case,
        "profile": PROFILE,
        "width": size[0],
        "height": size[1],
        "label": order.label,
        "labeler": order.painter,
        "tags": sorted(order.tags),
        "seed": order.seed,
        "mode": order.mode,
        "prompt": entry.prompt,
        "model": entry.model,
        "revision": entry.revision,
        "usd": entry.usd,
    }


def _summary(kept: pl.DataFrame, work: Work, dropped: pl.DataFrame, usd: float) -> dict[str, Any]:
    summary: dict[str, Any] = {"painted": kept.height, "dropped": dropped.height}
    if usd:
        summary["usd"] = round(usd, 4)
    return summary | {f"{name} stopped": why for name, why in work.left.items()}
