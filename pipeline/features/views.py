"""Views of an image: their names, and how a model meets them."""

from collections.abc import Iterator, Sequence

import polars as pl

from inference_runtime import preprocess
from inference_runtime.errors import Fixable, ImageError
from inference_runtime.preprocess import Pixels, Preprocess
from pipeline import challenge, images

AS_SENT = "native"  # the profile of a picture that came over the wire already


def view_names(profile: str, views: int) -> list[str]:
    """Only the "2026-01" profile throws dice; of the others one view says all."""
    return [f"{profile}/{number}" for number in range(views if profile == "2026-01" else 1)]


def index_of(rows: pl.DataFrame, views: int) -> pl.DataFrame:
    """A row per view, in the order of `rows`: columns image, view."""
    profiles = rows["profile"].unique().to_list()
    named = pl.DataFrame(
        {"profile": profiles, "view": [view_names(profile, views) for profile in profiles]},
        schema={"profile": pl.String, "view": pl.List(pl.String)},
    )
    joined = rows.select("image", "profile").join(named, on="profile", how="left", maintain_order="left")
    return joined.select("image", "view").explode("view")


def look(image: str, names: Sequence[str], spec: Preprocess) -> list[Pixels]:
    """The named views as the model meets them: after the challenge, the wire's JPEG, the preprocessing."""
    data = _read(image)
    try:
        return [preprocess.prepare(received, spec) for received in _received(data, image, names)]
    except ImageError as error:
        raise Fixable(f"{images.path(image)}: {error}; delete it and run `python -m pipeline pull`") from None


def sent(frame: Pixels, image: str, name: str) -> bytes:
    """The JPEG of a view as it goes over the wire."""
    profile = name.partition("/")[0]
    return challenge.encode(challenge.view(frame, profile, challenge.seed_of(image, name)))


def _received(data: bytes, image: str, names: Sequence[str]) -> Iterator[bytes]:
    """The bytes of each view as a runtime receives them; the frame is decoded once, and only for views."""
    if all(name.startswith(AS_SENT) for name in names):
        yield from [data] * len(names)
    else:
        frame = preprocess.decode(data)
        yield from (data if name.startswith(AS_SENT) else sent(frame, image, name) for name in names)


def _read(image: str) -> bytes:
    try:
        return images.read(image)
    except FileNotFoundError:
        raise Fixable(f"{images.path(image)}: the image is gone; run `python -m pipeline pull`") from None
