"""What is wrong with the night's data, as tables, as a page, and where people see it."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline import features, samples
from pipeline.assemble import proof
from pipeline.assemble.splits import UNSEEN
from pipeline.params import Backbone, People, Quality
from pipeline.quality import faults, opinions, report, suspects
from pipeline.quality.opinions import Opinion
from pipeline.quality.shift import Shift, shifts

CONFIRMED = "confirmed"  # the tag by which a person says that a label in doubt is right
WHOLE = pl.lit(features.AS_SENT).alias("profile")


@dataclass(frozen=True)
class Found:
    suspects: pl.DataFrame
    faults: pl.DataFrame
    shifts: tuple[Shift, ...]
    opinions: tuple[Opinion, ...]


@dataclass(frozen=True)
class Night:
    pulled: pl.DataFrame
    cases: pl.DataFrame
    table: pl.DataFrame
    left_out: pl.DataFrame
    pairs: pl.DataFrame
    findings: list[proof.Finding]
    gone: int


def looked_at(
    pulled: pl.DataFrame,
    predictions: pl.DataFrame,
    table: pl.DataFrame,
    params: Quality,
    backbone: Backbone,
) -> Found:
    facts = faults.measured(pulled["image"].to_list())
    return Found(
        suspects=_suspects(table, params, backbone),
        faults=faults.faulty(facts, params.faults),
        shifts=shifts(pulled, params.drift, backbone),
        opinions=opinions.opinions(pulled, predictions),
    )


def _suspects(table: pl.DataFrame, params: Quality, backbone: Backbone) -> pl.DataFrame:
    """Among all that people, or a base set, said; what somebody has looked at again is left in peace."""
    said = table.filter(~pl.col("kind").is_in(UNSEEN)).sort("image")
    if not said.height:
        return pl.DataFrame(schema=suspects.FOUND)
    vectors, _ = features.embed(said.select("image", WHOLE), 1, backbone)
    found = suspects.suspects(said, vectors, params.suspects)
    settled = said.filter(pl.col("tags").list.contains(CONFIRMED).fill_null(False))
    return found.join(settled, on="image", how="anti", maintain_order="left")


def write(found: Found, night: Night, params: Quality, out: Path) -> None:
    samples.keep(found.suspects, out / "suspects.parquet")
    samples.keep(found.faults, out / "faults.parquet")
    told = [f"{one.painter}: {proof.told(one)}" for one in night.findings]
    data = report.Data(
        pulled=night.pulled,
        cases=night.cases,
        table=night.table,
        left_out=night.left_out,
        pairs=night.pairs,
        suspects=found.suspects,
        faults=found.faults,
        shifts=found.shifts,
        opinions=found.opinions,
        painters=tuple(told),
        gone=night.gone,
        review=params.suspects.review,
    )
    (out / "report.html").write_text(report.page(data))


def show(found: Found, table: pl.DataFrame, people: People, params: Quality) -> None:
    """Marks what needs a second look where people look at pictures."""
    if people.dataset is None:
        return
    from pipeline import marks

    doubts = found.suspects.head(params.suspects.review)
    marks.put(people.dataset, doubts, found.faults, table.select("image", "split"))
