"""How a network that wants fresh models discounts an old one. params.yaml `age` is the curve."""

from datetime import datetime

from pipeline.params import Age


def days(since: str, now: datetime) -> float:
    return (now - datetime.fromisoformat(since)).total_seconds() / 86400


def paid(days: float, age: Age) -> float:
    """The share of the reward that a model of this age still earns: whole, then falling evenly to nothing."""
    if days <= age.full_days:
        return 1.0
    return max(0.0, (age.zero_day - days) / max(age.zero_day - age.full_days, 1))
