"""One look: what was seen is written down, and what a person must hear is said once a day."""

import json
import os
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from inference_runtime.errors import Fixable
from pipeline.accounts import costs, nights, runs
from pipeline.params import Params
from pipeline.progress import say
from pipeline.rollout.health import once_a_day
from pipeline.services import runtime
from pipeline.watching import answers, drift, seen
from pipeline.watching.seen import Chain, Seen

PULL = Path("artifacts/pull")
HOUR = 3600.0


def take(params: Params) -> Seen:
    now = datetime.now(UTC)
    found = see(params, now)
    seen.write(found)
    for kind, line in complaints(found, params):
        once_a_day(kind, line, now)
    say(f"watch: {told(found)}")
    return found


def see(params: Params, now: datetime) -> Seen:
    lately = answers.lately(params.pull.journal, PULL, now)
    moved = drift.between(*answers.parted(lately, now), params.watch.drift_answers)
    booked = runs.all_of(runs.place())
    return Seen(
        at=f"{now:%Y-%m-%dT%H:%M:%SZ}",
        runtime_up=_runtime_up(),
        silent_seconds=(now - lately[-1].at).total_seconds() if lately else None,
        answers=moved.answers,
        drift=moved.psi,
        positives=moved.positives,
        positives_before=moved.positives_before,
        disk_free=shutil.disk_usage(".").free,
        chain=_chain(),
        night_ended=nights.ended(booked),
        night_usd=costs.total(costs.latest(booked), params.prices).usd,
    )


def complaints(found: Seen, params: Params) -> Iterator[tuple[str, str]]:
    """What is not as it should be, with what to do about it."""
    limits = params.watch
    if found.runtime_up is False:
        yield "runtime", "the runtime does not answer; look at its log, then `make up`"
    elif found.runtime_up and (found.silent_seconds or 0) > limits.silent_hours * HOUR:
        hours = (found.silent_seconds or 0) / HOUR
        yield "silent", f"nobody has asked for {hours:.0f} hours; look at the miner and the chain"
    if found.drift is not None and found.drift > limits.drift:
        yield "drift", f"the champion's answers have moved (stability index {found.drift:.2f}); label some"
    if found.disk_free < limits.disk_free_gb * 1e9:
        yield "disk", f"{found.disk_free / 1e9:.1f} GB of disk are left; free some before the next night"
    if found.night_ended and time.time() - found.night_ended > limits.night_hours * HOUR:
        hours = (time.time() - found.night_ended) / HOUR
        yield "night", f"no night came to its end for {hours:.0f} hours; look at retrain_72 in Airflow"
    if found.chain and found.chain.up and not found.chain.registered:
        yield "chain", "the hotkey is not registered on the subnet; no validator will ask it"
    if found.night_usd > limits.usd_night:
        yield "cost", f"the last night cost {found.night_usd:.2f} USD; `python -m pipeline cost` says on what"


def told(found: Seen) -> str:
    moved = "unknown" if found.drift is None else f"{found.drift:.3f}"
    chain = "not watched" if found.chain is None else "up" if found.chain.up else "absent"
    served = {True: "up", False: "down", None: "none"}[found.runtime_up]
    free = f"{found.disk_free / 1e9:.0f} GB free"
    return f"runtime {served}, {found.answers} answers in a day, drift {moved}, {free}, chain {chain}"


def _runtime_up() -> bool | None:
    if runtime.url() is None:
        return None
    try:
        return runtime.models() is not None
    except (Fixable, OSError):
        return False


def _chain() -> Chain | None:
    file = Path(os.environ.get("CHAIN_STANDING", "var/chain.json"))
    if not file.exists():
        return None
    told = json.loads(file.read_text())
    return Chain(time.time() - told["at"], bool(told["up"]), told["uid"] is not None, told["burn"])
