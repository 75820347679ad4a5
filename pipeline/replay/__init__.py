"""Plays a validator's campaign against a bundle or a runtime, and says what it would have paid."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference_runtime.errors import Fixable
from pipeline.params import Params

if TYPE_CHECKING:
    import polars as pl

    from pipeline.replay.scores import Score


@dataclass(frozen=True)
class Wanted:
    """Exactly one of `bundle` and `url`."""

    bundle: Path | None
    url: str | None
    profile: str
    challenges: int
    seed: int
    data: str  # gold, or a folder with labels.csv
    out: Path


def run(params: Params, wanted: Wanted) -> None:
    from pipeline.replay import answering, campaign, pictures, scores, show

    gold = wanted.data == "gold"
    folder = Path(params.pull.gold if gold else wanted.data)
    drawn = pictures.read(folder, "params.yaml: pull.gold" if gold else "--data")
    name, ask = answering.of_bundle(wanted.bundle) if wanted.bundle else answering.of_url(str(wanted.url))
    table = campaign.played(drawn, ask, wanted.profile, wanted.challenges, wanted.seed)
    if table["label"].n_unique() < 2:
        raise Fixable("--challenges: too few, all of one label; ask for 100 or more")
    rows, ceiling = scores.by_slice(table, wanted.seed), scores.ceiling(table)
    show.table(name, rows, ceiling)
    _file(wanted.out, name, told(wanted, name, table, rows, ceiling))
    show.picture(rows, ceiling, table, name, wanted.out / f"{name}.png")
    print(f"kept in {wanted.out}/{name}.json and .png")


def told(
    wanted: Wanted, name: str, table: "pl.DataFrame", rows: "list[Score]", ceiling: float | None
) -> dict[str, Any]:
    from pipeline.replay import scores

    asked = {"answered by": name, "profile": wanted.profile, "seed": wanted.seed, "data": wanted.data}
    figures = {row.slice: row.to_json() for row in rows}
    return (
        asked
        | {"challenges": table.height, "ceiling": ceiling, "ema": scores.ema(table)}
        | {"slices": figures}
    )


def _file(out: Path, name: str, figures: dict[str, Any]) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Fixable(f"--out: {out}: {error.strerror}; name a folder that can be written") from None
    (out / f"{name}.json").write_text(json.dumps(figures, indent=2) + "\n")
