"""What the watch looks at besides traffic: what people said of the champion's answers, and its age."""

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from scipy import stats

from inference_runtime import bundle as bundles
from pipeline import ageing, drafts, hub, samples
from pipeline.alerts import alert
from pipeline.params import Age, Fresh, Rollout
from pipeline.rollout import cusum, story


def stale(release: hub.Release, age: Age, now: datetime) -> str | None:
    days = ageing.days(release.at, now)
    if days < age.retrain_by:
        return None
    late = "upload a newer one now" if days >= age.upload_by else "train a newer one"
    paid = ageing.paid(days, age)
    return f"{release.version} is {days:.0f} days old and paid {paid:.0%} of its reward at this age: {late}"


def fallen(release: hub.Release, place: Path, pull: Path, fresh: Fresh, params: Rollout) -> str | None:
    """An alarm of the audited labels, against the accuracy that the gate vouched for."""
    vouched = _vouched(place)
    if vouched is None or not (pull / samples.FILE).exists():
        return None
    right = audited(samples.read(pull), release.bundle, fresh)
    at = cusum.alarmed(right, vouched, vouched - params.accuracy_drop, params.cusum)
    if at is None:
        return None
    rate = sum(right) / len(right)
    return (
        f"audited labels: {rate:.1%} of {len(right)} answers were right, the gate vouched for {vouched:.1%};"
        f" the sum passed {params.cusum:g} at label {at}"
    )


def audited(table: pl.DataFrame, bundle: str, fresh: Fresh) -> list[bool]:
    """Whether each answer was right, in the order people spoke.

    Only of the traffic set aside: what was labelled because the champion was unsure would accuse anyone.
    """
    aside = table.filter(samples.aside(table, fresh.share) & (pl.col("bundle") == bundle))
    labelled = aside.filter(pl.col("label").is_not_null()).sort("labelled_at", "image")
    return ((labelled["p"] > 0.5) == (labelled["label"] == 1)).to_list()


def once_a_day(kind: str, line: str, now: datetime) -> None:
    """A watch that looks every quarter of an hour must not say it as often."""
    file = story.folder() / "alerts.json"
    told = json.loads(file.read_text()) if file.exists() else {}
    today = f"{now:%Y-%m-%d}"
    if told.get(kind) != today:
        alert(line)
        drafts.write(file, json.dumps(told | {kind: today}).encode())


def now() -> datetime:
    return datetime.now(UTC)


def _vouched(place: Path) -> float | None:
    """The lower end of the interval around the accuracy that the gate saw."""
    verdict = bundles.load(place).verdict or {}
    seen = verdict.get("scores", {}).get("challenger", {}).get("confusion")
    if not seen:
        return None
    right, n = seen["hits"] + seen["rejections"], sum(seen.values())
    return float(stats.binomtest(right, n).proportion_ci(0.95, "wilson").low)
