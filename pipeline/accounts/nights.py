"""Which nights came to their end: the roll-out is the last that is booked of one."""

from collections.abc import Iterable, Sequence

from pipeline.accounts.runs import OK, Run

LAST = "rollout"


def ended(runs: Iterable[Run]) -> float | None:
    """When the last one did, in seconds since 1970."""
    return max((run.ended for run in runs if run.stage == LAST and run.outcome == OK), default=None)


def verdicts(runs: Iterable[Run]) -> list[str]:
    """Of every contest, the oldest first."""
    return [str(run.came["verdict"]) for run in runs if run.stage == "gate" and "verdict" in run.came]


def streak(verdicts: Sequence[str]) -> int:
    """Contests since the last promotion."""
    return next((n for n, value in enumerate(reversed(verdicts)) if value == "PASS"), len(verdicts))
