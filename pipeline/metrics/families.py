"""What is told of the books, the hub and the last look: plain data in, families of metrics out."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from pipeline import ageing
from pipeline.accounts import costs, nights
from pipeline.accounts.runs import OK, Run
from pipeline.hub import Release
from pipeline.params import Age, Params, Prices
from pipeline.watching.seen import Seen

Labels = TypeVar("Labels", bound=tuple[str, ...])

LAST_OF = {  # of a stage's last run that ended well
    "seconds": "wall time",
    "cpu_seconds": "processor time, children's too",
    "gpu_seconds": "wall time of a run that held a GPU",
    "peak_bytes": "most memory that it held",
    "bytes": "size of what it made",
}


def gauge(
    name: str, about: str, values: Mapping[Labels, float] | float | None, *labels: str
) -> Iterator[Metric]:
    """None where there is nothing to tell: an absent figure is absent, not 0."""
    if values is None:
        return
    family = GaugeMetricFamily(f"pipeline_{name}", about, labels=labels or None)
    if isinstance(values, Mapping):
        for labelled, value in values.items():
            family.add_metric(labelled, value)
    else:
        family.add_metric((), values)
    yield family


def counter(name: str, about: str, values: Mapping[Labels, float], *labels: str) -> Iterator[Metric]:
    family = CounterMetricFamily(f"pipeline_{name}", about, labels=labels)
    for labelled, value in values.items():
        family.add_metric(labelled, value)
    yield family


def stages(runs: list[Run]) -> Iterator[Metric]:
    last = {run.stage: run for run in runs}
    good = {run.stage: run for run in runs if run.outcome == OK}
    ended = {(name,): run.ended for name, run in good.items()}
    yield from gauge("stage_last_success_timestamp_seconds", "end of its last good run", ended, "stage")
    failed = {(name,): float(run.outcome != OK) for name, run in last.items()}
    yield from gauge("stage_failed", "1 while its last run is no good one", failed, "stage")
    outcomes = Counter((run.stage, run.outcome) for run in runs)
    yield from counter("stage_runs", "runs, by how they ended", outcomes, "stage", "outcome")
    for name, about in LAST_OF.items():
        yield from gauge(f"stage_{name}", about, {(s,): getattr(r, name) for s, r in good.items()}, "stage")
    yield from gauge("figure", "what its summary says", _figures(good.values()), "stage", "figure")
    waiting = good["mine"].came.get("waiting") if "mine" in good else None
    yield from gauge("labels_pending", "answered pictures that nobody has labelled", waiting)


def money(runs: list[Run], prices: Prices) -> Iterator[Metric]:
    spent: Counter[tuple[str, ...]] = Counter()
    for run in runs:
        cost = costs.of(run, prices)
        spent.update({(run.stage, kind): getattr(cost, kind) for kind in ("cpu", "gpu", "painters")})
    yield from counter("stage_usd", "what its runs cost by the price table", spent, "stage", "kind")
    tonight = costs.total(costs.latest(runs), prices).usd
    yield from gauge("night_usd", "what the latest night cost so far", tonight)


def contests(runs: list[Run]) -> Iterator[Metric]:
    yield from gauge(
        "night_last_success_timestamp_seconds", "end of the last whole night", nights.ended(runs)
    )
    verdicts = nights.verdicts(runs)
    given = Counter((value,) for value in verdicts)
    yield from counter("verdicts", "contests, by verdict", given, "verdict")
    yield from gauge("verdict_streak", "contests since the last promotion", nights.streak(verdicts))


def champion(releases: list[Release], age: Age, now: datetime) -> Iterator[Metric]:
    yield from gauge("releases", "champions there were, withdrawn ones left out", float(len(releases)))
    if not releases:
        return
    reigning = releases[-1]
    named = {(reigning.version, reigning.bundle): 1.0}
    yield from gauge("champion_info", "who reigns", named, "version", "bundle")
    days = ageing.days(reigning.at, now)
    yield from gauge("champion_age_days", "since it became champion", days)
    yield from gauge("champion_paid", "share of the reward left at this age", ageing.paid(days, age))


def looked(seen: Seen) -> Iterator[Metric]:
    at = datetime.fromisoformat(seen.at).timestamp()
    yield from gauge("watch_timestamp_seconds", "when the watch last looked", at)
    up = None if seen.runtime_up is None else float(seen.runtime_up)
    yield from gauge("watch_runtime_up", "whether the runtime answered the watch", up)
    yield from gauge(
        "watch_silent_seconds", "since the last answer, as the watch saw it", seen.silent_seconds
    )
    yield from gauge("watch_answers", "of the last day", float(seen.answers))
    yield from gauge("drift", "population stability index of the champion's answers", seen.drift)
    shares = {("day",): seen.positives, ("before",): seen.positives_before}
    known = {when: share for when, share in shares.items() if share is not None}
    yield from gauge("positives", "share of yes among the champion's answers", known, "when")
    if seen.chain:
        yield from gauge("watch_chain_up", "whether the chain answered the miner", float(seen.chain.up))


def limits(params: Params) -> Iterator[Metric]:
    """What the rules of Prometheus compare with, so that params.yaml stays the only place of numbers."""
    told = {("age_retrain_by_days",): params.age.retrain_by, ("age_upload_by_days",): params.age.upload_by}
    told |= {(name,): value for name, value in params.watch.model_dump().items()}
    yield from gauge("limit", "from when on a person is told; see params.yaml", told, "what")


def _figures(runs: Iterable[Run]) -> dict[tuple[str, str], float]:
    return {
        (run.stage, figure): float(value)
        for run in runs
        for figure, value in run.came.items()
        if isinstance(value, int | float)
    }
