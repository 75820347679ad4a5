"""Labelled pictures that were there first: a local folder or file, or a dataset on the Hugging Face hub."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from inference_runtime.errors import Fixable, ImageError
from pipeline import samples
from pipeline.images import Picture, admit
from pipeline.params import Pull
from pipeline.progress import Progress
from pipeline.pull.base import coco, embedded, folders, hub, listing
from pipeline.pull.base.offer import Offer, Offers
from pipeline.pull.base.seen import Seen
from pipeline.pull.quarantine import Quarantine

FULL_FRAME = "2026-01"  # validators will crop these; a view must do the same
FINDERS: tuple[tuple[Callable[[Path], list[Path]], Callable[[Path], Offers]], ...] = (
    (embedded.found, embedded.offers),
    (coco.found, coco.offers),
    (folders.found, folders.offers),
)
FORMS = (
    "labels.csv (file,label,tags), Parquet files with pictures inside, COCO annotations, "
    "or folders named roadwork and clear"
)


def sets(params: Pull, quarantine: Quarantine) -> pl.DataFrame:
    """Everything that the gold and the base set offer, gold first."""
    base = read(params.base, "base", "pull.base", quarantine)
    return pl.concat([read(params.gold, "gold", "pull.gold", quarantine), base])


def one_each(offered: pl.DataFrame) -> pl.DataFrame:
    """A row per picture; what is in both sets is gold, for nothing may learn from it."""
    return offered.unique("image", keep="first", maintain_order=True)


def read(address: str, source: str, key: str, quarantine: Quarantine) -> pl.DataFrame:
    """A row for each picture that is offered, also for one that is offered twice."""
    seen, rows = Seen(address), []
    for offer in Progress(offers(address, key), f"pull: {source}"):
        try:
            rows.append(_row(offer, _picture(offer, seen), source))
        except (ImageError, FileNotFoundError, ValueError) as error:
            quarantine.add(offer.file, offer.line, offer.name, str(error))
    seen.save()
    return samples.frame(rows, samples.PULLED)


def offers(address: str, key: str) -> Offers:
    """In whichever form the set is: told by what lies there."""
    folder = hub.fetch(address, key) if address.startswith(hub.SCHEME) else Path(address)
    if not folder.is_dir():
        raise Fixable(
            f"params.yaml: {key}: {folder} not found; point it at labelled pictures, "
            "or paint some: python -m pipeline world seed"
        )
    if (folder / listing.FILE).exists():
        return listing.offers(folder)
    for found, offered in FINDERS:
        if found(folder):
            return offered(folder)
    there = ", ".join(sorted(one.name for one in folder.iterdir())[:5]) or "nothing"
    raise Fixable(f"params.yaml: {key}: {folder} holds {there}; a base set is {FORMS}")


def _picture(offer: Offer, seen: Seen) -> Picture:
    if offer.label is None:
        raise ValueError(
            f"label {offer.said!r} of {offer.name} is none of the two classes; 1 is roadwork, 0 is clear"
        )
    return seen.get(offer.mark) or seen.keep(offer.mark, admit(offer.bytes()))


def _row(offer: Offer, picture: Picture, source: str) -> dict[str, Any]:
    return {
        "image": picture.image,
        "source": source,
        "family": picture.image,
        "profile": FULL_FRAME,
        "width": picture.width,
        "height": picture.height,
        "label": offer.label,
        "labeler": source,
        "tags": list(offer.tags),
    }
