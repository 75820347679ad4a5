"""Whether enough hard cases wait: what the runtime answered near the fence, and no night has seen."""

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path

from inference_runtime import journal
from pipeline import drafts, store, told
from pipeline.params import Params, Pull
from pipeline.progress import say

SEEN = Path("artifacts/pull/predictions.parquet")
EMITTED = Path("var/nights/buffer.json")
COPIES = Path("var/nights/segments")  # of a store that is far away
LONGEST = timedelta(days=1)  # that a segment stays open, at the very most
FENCE = 0.5


def run(params: Params) -> None:
    """Says it once: what was enough for a night does not count towards the next."""
    since = _since()
    near = _near_the_fence(params.pull, since, params.buffer.margin)
    full = len(near) >= params.buffer.cases
    if full:
        newest = max(near.values()).isoformat()
        drafts.write(EMITTED, json.dumps({"until": newest}).encode())
    told.leave(full=full, cases=len(near))
    when = "ever" if since is None else f"{since:%Y-%m-%d %H:%M} UTC"
    say(f"buffer: {len(near):,} of {params.buffer.cases:,} hard cases since {when}")


def _since() -> datetime | None:
    """The last answer that a night, or the last emission, has seen."""
    moments = [moment for moment in (_pulled(), _emitted()) if moment]
    return max(moments, default=None)


def _pulled() -> datetime | None:
    if not SEEN.exists():
        return None
    import polars as pl

    last: datetime | None = pl.scan_parquet(SEEN).select(pl.col("at").max()).collect().item()
    return last


def _emitted() -> datetime | None:
    return datetime.fromisoformat(json.loads(EMITTED.read_text())["until"]) if EMITTED.exists() else None


def _near_the_fence(params: Pull, since: datetime | None, margin: float) -> dict[str, datetime]:
    """Pictures whose answer was nearly the other one, each with the moment it was last given."""
    shelf = store.at(params.journal, "pull.journal", params.connections)
    # Segments are named by the moment at which they were opened.
    after = f"segments/{since - LONGEST:%Y%m%dT%H%M%SZ}" if since else ""
    listed = list(shelf.objects("segments", after))
    near: dict[str, datetime] = {}
    for segment in listed:
        for entry in journal.read(shelf.local(segment, COPIES)):
            if isinstance(entry, journal.Broken) or entry.role == "shadow":
                continue
            at = datetime.fromisoformat(entry.at)
            if abs(entry.p - FENCE) < margin and (since is None or at > since):
                near[entry.image] = max(at, near.get(entry.image, at))
    _forget({segment.mark for segment in listed})
    return near


def _forget(wanted: set[str]) -> None:
    """Copies of segments that are too old to be asked again."""
    for copy in COPIES.glob("*"):
        if copy.name not in wanted:
            shutil.rmtree(copy)
