"""Whether enough hard cases wait: what the runtime answered near the fence, and no night has seen."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from inference_runtime import journal
from pipeline import drafts, store, told
from pipeline.params import Buffer, Params
from pipeline.progress import say

SEEN = Path("artifacts/pull/predictions.parquet")
EMITTED = Path("var/nights/buffer.json")
LONGEST = timedelta(days=1)  # that a segment stays open, at the very most
FENCE = 0.5


def run(params: Params) -> None:
    """Says it once: what was enough for a night does not count towards the next."""
    since = _since()
    near = _near_the_fence(params.pull.journal, since, params.buffer)
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


def _near_the_fence(address: str, since: datetime | None, params: Buffer) -> dict[str, datetime]:
    """Pictures whose answer was nearly the other one, each with the moment it was last given."""
    shelf = store.at(address, "pull.journal")
    near: dict[str, datetime] = {}
    for name in shelf.names("segments"):
        if since and _begun(name) < since - LONGEST:
            continue
        for entry in journal.read(shelf.local(name)):
            if isinstance(entry, journal.Broken) or entry.role == "shadow":
                continue
            at = datetime.fromisoformat(entry.at)
            if abs(entry.p - FENCE) < params.margin and (since is None or at > since):
                near[entry.image] = max(at, near.get(entry.image, at))
    return near


def _begun(name: str) -> datetime:
    """A segment is named by the moment at which it was opened."""
    stamp = Path(name).name.partition("-")[0]
    return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
