"""Where bundles live, which one is the champion, and who has tried to take its place."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from inference_runtime.bundle import Bundle
from pipeline.params import Hub


@dataclass(frozen=True)
class Release:
    """A bundle that was champion from one moment on."""

    version: str
    bundle: str
    beat: str | None  # the champion before it
    at: str
    card: dict[str, object]


@dataclass(frozen=True)
class Attempt:
    """What one challenger's try against a champion came to."""

    challenger: str
    value: str  # of the verdict
    why: str
    kin: str | None = None  # challengers of one kin share the evidence of fresh items
    gold: bool = False  # whether gold was asked, which spends of its error budget
    fresh: tuple[tuple[str, int], ...] = ()  # items it was asked about: 1 won, -1 lost, 0 neither

    @classmethod
    def of(cls, verdict: Mapping[str, Any]) -> "Attempt":
        """A verdict that fell early has met neither gold nor fresh items, and says nothing of them."""
        met = verdict.get("attempt", {})
        fresh = tuple((image, sign) for image, sign in met.get("fresh", ()))
        why = verdict["reasons"][0]
        return cls(
            verdict["challenger"], verdict["value"], why, met.get("kin"), met.get("gold", False), fresh
        )


def attempt(told: Mapping[str, Any]) -> Attempt:
    """An attempt as JSON holds it."""
    return Attempt(**dict(told) | {"fresh": tuple((image, sign) for image, sign in told["fresh"])})


class Shelf(Protocol):
    def releases(self) -> list[Release]:
        """All champions there ever were, the reigning one last."""

    def fetch(self, bundle: str, to: Path) -> Bundle:
        """A verified copy of a released bundle in the folder `to`."""

    def place(self, bundle: str) -> Path:
        """A local folder that holds a released bundle."""

    def release(self, folder: Path, release: Release, verdict: dict[str, object]) -> Release:
        """Makes the bundle the champion, once: asked again, it answers with what was done the first time."""

    def record(self, champion: str | None, tried: Attempt) -> None:
        """Remembers what a challenger's try came to; its second try takes the place of the first."""

    def attempts(self, champion: str | None) -> list[Attempt]:
        """Every try against this champion, in the order in which the challengers first came."""


def at(hub: Hub) -> Shelf:
    match hub.kind:
        case "folder":
            from pipeline.hub import folder

            return folder.Folder(Path(hub.repo))


def reigning(shelf: Shelf) -> Release | None:
    return next(reversed(shelf.releases()), None)


def next_version(releases: list[Release]) -> str:
    if not releases:
        return "1.0.0"
    major, minor, _ = releases[-1].version.split(".")
    return f"{major}.{int(minor) + 1}.0"
