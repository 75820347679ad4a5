"""What the runtime says of its bundles, and where a roll-out stands by that."""

from dataclasses import dataclass
from typing import Any, Literal

from pipeline.rollout.signals import Seen, Side
from pipeline.services import runtime

# new: not there yet. shadow, canary: on trial. settling: serves, the old one is its shadow. serving: alone.
Phase = Literal["new", "shadow", "canary", "settling", "serving"]


@dataclass(frozen=True)
class Stand:
    phase: Phase
    serving: str
    previous: str | None


def stand(bundle: str) -> Stand:
    """The runtime knows: whatever was killed here, nothing is guessed."""
    roles = runtime.roles()
    ids = {role: placed["bundle"] if placed else None for role, placed in roles.items()}
    return Stand(_phase(bundle, ids), str(ids["serving"]), ids["previous"])


def _phase(bundle: str, ids: dict[str, str | None]) -> Phase:
    if ids["serving"] == bundle:
        return "settling" if ids["shadow"] else "serving"
    if ids["canary"] == bundle:
        return "canary"
    return "shadow" if ids["shadow"] == bundle else "new"


def seen(bundle: str) -> Seen:
    """The comparison, with the new bundle as the new side whichever role it has."""
    told = runtime.comparison()
    on_trial = told["challenger"] == bundle
    challenged, serving = _side(told["challenged"]), _side(told["serving"])
    old, new = (serving, challenged) if on_trial else (challenged, serving)
    return Seen(told["both"], told["disagree"], old, new)


def _side(told: dict[str, Any]) -> Side:
    return Side(**{key: told[key] for key in Side.__dataclass_fields__})
