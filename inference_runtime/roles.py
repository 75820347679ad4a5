"""Who answers: the bundle that serves, the one before it, and one challenger that is tried beside it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from inference_runtime.comparison import Comparison
from inference_runtime.errors import Fixable
from inference_runtime.picture import Picture
from inference_runtime.predictor import Predictor

Trial = Literal["shadow", "canary"]
Role = Literal["serve", "shadow", "canary"]
Load = Callable[[Path, Callable[[str], Predictor | None]], Predictor]


@dataclass(frozen=True)
class Placed:
    """A predictor, and since when it has its role."""

    predictor: Predictor
    since: str

    @property
    def id(self) -> str:
        return self.predictor.bundle.id


@dataclass(frozen=True)
class Challenger:
    """A shadow answers after the real answer; a canary gives the real answer to a share of the images."""

    placed: Placed
    role: Trial
    share: float
    comparison: Comparison


@dataclass(frozen=True)
class Unseen:
    """Who answers again what another has answered, and where the two are compared."""

    predictor: Predictor
    comparison: Comparison


@dataclass(frozen=True)
class Turn:
    """Which bundle answers one request."""

    predictor: Predictor
    role: Role
    unseen: Unseen | None
    comparison: Comparison | None


@dataclass(frozen=True)
class Roster:
    """Never changed, only replaced as a whole: a request that reads it once sees no mixture."""

    serving: Placed
    previous: Placed | None = None
    challenger: Challenger | None = None

    def turn(self, picture: Picture) -> Turn:
        """By the picture's name alone: the same picture meets the same bundle, in every process."""
        trial = self.challenger
        serving = self.serving.predictor
        if trial is None:
            return Turn(serving, "serve", None, None)
        challenger = trial.placed.predictor
        if trial.role == "shadow":
            return Turn(serving, "serve", Unseen(challenger, trial.comparison), trial.comparison)
        if int(picture.name()[:8], 16) < trial.share * 2**32:
            return Turn(challenger, "canary", Unseen(serving, trial.comparison), trial.comparison)
        return Turn(serving, "serve", None, trial.comparison)


class Roles:
    """One roster, swapped by one assignment. Bundles are loaded beside it, so going back never waits."""

    def __init__(self, predictor: Predictor, load: Load) -> None:
        self.roster = Roster(_placed(predictor))
        self._load = load
        self._loading = threading.Lock()
        self._swapping = threading.Lock()

    def held(self, id: str) -> Predictor | None:
        """The predictor of a bundle that has a role already."""
        roster = self.roster
        placed = [roster.serving, roster.previous, roster.challenger and roster.challenger.placed]
        return next((one.predictor for one in placed if one and one.id == id), None)

    def place(self, folder: Path, role: Role, share: float = 0.0) -> Roster:
        """Verified, proved and warm before it has its role; a bad bundle changes nothing."""
        with self._loading:
            placed = _placed(self._load(folder, self.held))
        with self._swapping:
            if role == "serve":
                return self._serve(placed)
            if placed.id == self.roster.serving.id:
                raise Fixable(f"{role}: {placed.id} serves already; name another bundle")
            trial = Challenger(placed, role, share, Comparison(placed.id, role, placed.since))
            self.roster = replace(self.roster, challenger=trial)
            return self.roster

    def promote(self, id: str) -> Roster:
        with self._swapping:
            trial = self.roster.challenger
            if trial is None or trial.placed.id != id:
                raise Fixable(f"bundle: {id!r} is neither shadow nor canary; place it first")
            return self._serve(_placed(trial.placed.predictor))

    def rollback(self) -> Roster:
        """Once: a rollback that is asked for twice must not bring the bad one back."""
        with self._swapping:
            previous = self.roster.previous
            if previous is None:
                raise Fixable("rollback: no bundle served before this one; place one instead")
            self.roster = Roster(_placed(previous.predictor))
            return self.roster

    def end(self, role: Trial) -> Roster:
        with self._swapping:
            trial = self.roster.challenger
            if trial is None or trial.role != role:
                raise Fixable(f"role: there is no {role} to end")
            self.roster = replace(self.roster, challenger=None)
            return self.roster

    def _serve(self, placed: Placed) -> Roster:
        # A challenger was compared with the one that served, so its trial ends with it.
        before = self.roster.serving
        if before.id != placed.id:
            self.roster = Roster(placed, previous=before)
        return self.roster


def _placed(predictor: Predictor) -> Placed:
    return Placed(predictor, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
