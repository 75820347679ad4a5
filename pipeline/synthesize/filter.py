"""Which paintings are thrown away, and why: faults, copies, strangers, and what shows something else."""

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray

from inference_runtime import preprocess
from pipeline import features, images, linear, params
from pipeline.params import Backbone
from pipeline.synthesize.thumbs import nearest, thumbs

Reasons = list[str | None]

# A scorer fitted on fewer labels than this knows less than the painter.
ENOUGH = 200
DECAY = 0.1
# Side of the blocks, and grey levels, by which a before and an after are told apart.
BLOCK, CHANGED = 16, 12.0
WHOLE = pl.lit(features.AS_SENT).alias("profile")  # judged as they are, not as a validator would crop them


def judge(painted: pl.DataFrame, real: pl.DataFrame, filter: params.Filter, backbone: Backbone) -> Reasons:
    """A reason for each painting that must go; the cheap questions are asked first, of all of them."""
    reasons: Reasons = [None] * painted.height
    questions: list[Callable[[pl.DataFrame], Reasons]] = [
        lambda rows: [faulty(images.read(image), filter) for image in rows["image"]],
        lambda rows: copies(rows, real, filter),
        lambda rows: [unchanged(row, filter) for row in rows.iter_rows(named=True)],
        lambda rows: strangers(rows, real, filter, backbone),
    ]
    for question in questions:
        left = [index for index, reason in enumerate(reasons) if reason is None]
        if left:
            for index, reason in zip(left, question(painted[left]), strict=True):
                reasons[index] = reason
    return reasons


def faulty(data: bytes, filter: params.Filter) -> str | None:
    grey = cv2.cvtColor(preprocess.decode(data), cv2.COLOR_RGB2GRAY)
    if (contrast := float(np.std(grey))) < filter.min_contrast:
        return f"blank: contrast {contrast:.1f}"
    sharpness = float(cv2.Laplacian(grey, cv2.CV_64F).var())
    return f"blurred: sharpness {sharpness:.1f}" if sharpness < filter.min_sharpness else None


def copies(painted: pl.DataFrame, real: pl.DataFrame, filter: params.Filter) -> Reasons:
    """Of gold first, for that would be a leak; then of other real pictures, and of earlier paintings."""
    mine = thumbs(painted["image"].to_list())
    gold, rest = real.filter(source="gold"), real.filter(pl.col("source") != "gold")
    held, other = (nearest(mine, thumbs(rows["image"].to_list())) for rows in (gold, rest))
    # Where roadwork is put in or taken out the rest of the case must stay as it is.
    own = [
        row["mode"] in ("add", "remove") and rest.height > 0 and rest["image"][int(at)] == row["parent"]
        for row, at in zip(painted.iter_rows(named=True), other[1], strict=True)
    ]
    return [
        "copy of a gold picture"
        if held[0][row] >= filter.near
        else "copy of a real picture"
        if other[0][row] >= filter.near and not own[row]
        else "copy of another painting"
        if row and nearest(mine[row : row + 1], mine[:row])[0][0] >= filter.near
        else None
        for row in range(len(mine))
    ]


def unchanged(row: dict[str, object], filter: params.Filter) -> str | None:
    """Roadwork that was put in or taken out must have changed the case somewhere."""
    if row["mode"] not in ("add", "remove"):
        return None
    share = changed(images.read(str(row["parent"])), images.read(str(row["image"])))
    return f"wrong label: {share:.1%} of the case changed" if share < filter.unchanged else None


def changed(before: bytes, after: bytes) -> float:
    """The share of blocks that differ, once both have the after's shape."""
    new = preprocess.decode(after)
    height, width = (side // BLOCK * BLOCK for side in new.shape[:2])
    old = cv2.resize(
        _cut(preprocess.decode(before), width / height), (width, height), interpolation=cv2.INTER_AREA
    )
    difference = np.abs(old.astype(np.float32) - new[:height, :width]).mean(axis=2)
    blocks = difference.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK).mean(axis=(1, 3))
    return float((blocks > CHANGED).mean())


def _cut(pixels: NDArray[np.uint8], ratio: float) -> NDArray[np.uint8]:
    """The middle of the picture in this ratio of width to height, as painters were shown it."""
    height, width = pixels.shape[:2]
    wide, high = min(width, round(height * ratio)), min(height, round(width / ratio))
    left, top = (width - wide) // 2, (height - high) // 2
    return pixels[top : top + high, left : left + wide]


def strangers(
    painted: pl.DataFrame, real: pl.DataFrame, filter: params.Filter, backbone: Backbone
) -> Reasons:
    """Unlike every real picture, or of the other label by the word of two scorers."""
    known = real.filter((pl.col("source") != "gold") & pl.col("label").is_not_null())
    if known.height < ENOUGH or known["label"].n_unique() < 2:
        return [None] * painted.height
    theirs, _ = features.embed(known.select("image", WHOLE), 1, backbone)
    mine, _ = features.embed(painted.select("image", WHOLE), 1, backbone)
    wanted = painted["label"].to_numpy()
    far = _far(mine, theirs, filter.stray)
    against = np.minimum(*(np.where(wanted == 1, 1 - p, p) for p in _scores(mine, theirs, known)))
    return [
        "off the domain: unlike any real picture"
        if far[row]
        else f"wrong label: {against[row]:.2f} sure of the other"
        if against[row] > filter.disagree
        else None
        for row in range(len(mine))
    ]


def _far(mine: NDArray[np.float32], theirs: NDArray[np.float32], stray: float) -> NDArray[np.bool_]:
    """Farther from its nearest real picture than all but a `stray` share of real ones are from theirs."""
    unit, other = _unit(mine), _unit(theirs)
    among = other @ other.T
    np.fill_diagonal(among, -1)
    fence = np.quantile(among.max(axis=1), stray)
    return np.asarray((unit @ other.T).max(axis=1) < fence)


def _scores(
    mine: NDArray[np.float32], theirs: NDArray[np.float32], known: pl.DataFrame
) -> Iterator[NDArray[np.float64]]:
    labels = known["label"].to_numpy()
    yield linear.fit(theirs, labels, np.ones(len(labels)), DECAY).p(mine)
    near = np.argsort(-(_unit(mine) @ _unit(theirs).T), axis=1)[:, :15]
    yield labels[near].mean(axis=1)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit
