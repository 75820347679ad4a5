"""Labels that nobody gave: only where independent sources agree, each as sure as it has proved to be right.

How sure is sure enough is asked of people's labels: from which confidence on was a source right often
enough, at the lower end of a 95 % interval? A source that cannot show it has no say, and without two there
are no such labels.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from inference_runtime.errors import Fixable
from pipeline import samples
from pipeline.assemble.splits import INCIDENT
from pipeline.params import Fresh, Pseudo
from pipeline.progress import say

Z = 1.645  # one-sided 95 %
NOBODY = "agreement of "  # how its labeler begins
SAYS = {"image": pl.String, "p": pl.Float64}


def agreed(pulled: pl.DataFrame, predictions: pl.DataFrame, params: Pseudo, fresh: Fresh) -> pl.DataFrame:
    """Unlabelled traffic with the label that all sources agree on; none of what is set aside for the gate."""
    sources = {name: _said(name, pulled, predictions, params) for name in params.sources}
    known = _free(pulled, fresh).filter(pl.col("label").is_not_null())
    found = _free(pulled, fresh).filter(pl.col("label").is_null())
    if len(sources) < 2 or not found.height:
        return found.clear()
    word = pl.lit(True)
    for name, said in sources.items():
        cuts = {side: _cut(_judged(known, said, name), side, params) for side in (0, 1)}
        say(f"assemble: pseudo-labels: {name} is sure from {_told(cuts[0])} clear, {_told(cuts[1])} roadwork")
        found = found.join(_sides(said, cuts).rename({"side": f"_{name}"}), on="image")
        word = word & (pl.col(f"_{name}") == pl.col(f"_{params.sources[0]}"))
    labeler = NOBODY + " and ".join(params.sources)
    return (
        found.filter(word)
        .with_columns(label=f"_{params.sources[0]}", labeler=pl.lit(labeler))
        .select(pulled.columns)
    )


def _free(pulled: pl.DataFrame, fresh: Fresh) -> pl.DataFrame:
    """Traffic that neither judges tonight nor ever will."""
    traffic = pulled.filter((pl.col("source") == "challenge") & ~samples.aside(pulled, fresh.share))
    return traffic.filter(~pl.col("tags").list.contains(INCIDENT).fill_null(False))


def _said(name: str, pulled: pl.DataFrame, predictions: pl.DataFrame, params: Pseudo) -> pl.DataFrame:
    match name:
        case "champion":
            return pulled.filter(pl.col("p").is_not_null()).select("image", "p", "at")
        case "shadow":
            # The champion of another night is no second opinion.
            ours = pulled.select("image", serving="bundle")
            shadows = predictions.filter(pl.col("role") == "shadow").join(ours, on="image")
            other = shadows.filter(pl.col("bundle") != pl.col("serving")).sort("at", "id")
            return other.unique("image", keep="last").select("image", "p", "at")
    return _teacher(params.teacher).with_columns(at=pl.lit(None, samples.MOMENT))


def _teacher(file: str | None) -> pl.DataFrame:
    try:
        return pl.read_parquet(file or "").select(pl.col(key).cast(kind) for key, kind in SAYS.items())
    except (OSError, pl.exceptions.PolarsError) as error:
        line = str(error).splitlines()[0]
        raise Fixable(
            f"params.yaml: assemble.pseudo.teacher: {file}: no Parquet file with image and p ({line}); "
            "name one, or take teacher out of assemble.pseudo.sources"
        ) from None


def _judged(known: pl.DataFrame, said: pl.DataFrame, name: str) -> pl.DataFrame:
    """What a source said of pictures with a label; a champion only of those it cannot have learned from."""
    both = known.select("image", "label", "labelled_at").join(said, on="image")
    return both if name == "teacher" else both.filter(pl.col("at") < pl.col("labelled_at"))


def _cut(judged: pl.DataFrame, side: int, params: Pseudo) -> float | None:
    """The least confidence in `side` from which on the source is right often enough."""
    p = judged["p"].to_numpy()
    confidence = p if side == 1 else 1 - p
    order = np.argsort(-confidence, kind="stable")
    confidence, right = confidence[order], (judged["label"].to_numpy() == side)[order]
    count = np.arange(1, len(right) + 1)
    enough = (lower(np.cumsum(right), count) >= params.precision) & (count >= params.least)
    whole = np.append(confidence[1:] < confidence[:-1], True)[: len(right)]  # equals stand or fall together
    fits = np.flatnonzero(enough & whole & (confidence > 0.5))
    return float(confidence[fits[-1]]) if len(fits) else None


def lower(right: NDArray[np.integer], count: NDArray[np.integer]) -> NDArray[np.float64]:
    """Wilson's lower bound of a share."""
    share = right / count
    middle = share + Z**2 / (2 * count)
    reach = Z * np.sqrt(share * (1 - share) / count + Z**2 / (4 * count**2))
    found: NDArray[np.float64] = (middle - reach) / (1 + Z**2 / count)
    return found


def _sides(said: pl.DataFrame, cuts: dict[int, float | None]) -> pl.DataFrame:
    """What a source may say: image, side."""
    side = pl.lit(None, pl.Int8)
    for label, cut in cuts.items():
        if cut is not None:
            confidence = pl.col("p") if label == 1 else 1 - pl.col("p")
            side = pl.when(confidence >= cut).then(pl.lit(label, pl.Int8)).otherwise(side)
    return said.select("image", side=side).drop_nulls()


def _told(cut: float | None) -> str:
    return "never:" if cut is None else f"{cut:.2f}"
