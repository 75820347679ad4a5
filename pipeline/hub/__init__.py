"""Where bundles live, which one is the champion, and who has tried to take its place."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from inference_runtime.bundle import Bundle
from inference_runtime.errors import Fixable
from pipeline.params import Hub


@dataclass(frozen=True)
class Release:
    """A bundle that was champion from one moment on."""

    version: str
    bundle: str
    beat: str | None  # the champion before it
    at: str
    card: dict[str, object]
    reward: float | None = None  # on gold, as the gate saw it, with the 95 % interval around it
    reward_low: float | None = None
    reward_high: float | None = None
    origin: dict[str, str | None] = field(default_factory=dict)  # run, commit, params and dataset


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


def ledger(text: bytes | None) -> list[Attempt]:
    return [attempt(told) for told in json.loads(text)] if text else []


def with_attempt(text: bytes | None, tried: Attempt) -> bytes:
    """The ledger with one more; a second try stands where the first stood."""
    before = {one.challenger: one for one in ledger(text)}
    return json.dumps([asdict(one) for one in (before | {tried.challenger: tried}).values()]).encode()


class Shelf(Protocol):
    def releases(self) -> list[Release]:
        """All champions there ever were, the newest last."""

    def withdrawn(self) -> dict[str, str]:
        """Released bundles that are champion no more, each with the reason."""

    def withdraw(self, bundle: str, why: str) -> None:
        """Ends the reign of a released bundle; the one before it reigns again."""

    def fetch(self, bundle: str, to: Path) -> Bundle:
        """A verified copy of a released bundle in the folder `to`."""

    def place(self, bundle: str) -> Path:
        """A local folder that holds a released bundle."""

    def release(
        self,
        folder: Path,
        release: Release,
        verdict: dict[str, object],
        papers: Mapping[str, bytes] | None = None,
    ) -> Release:
        """Makes the bundle the champion, once: asked again, it answers with what was done the first time.

        `papers` are what people read about it; they are no part of the bundle.
        """

    def record(self, champion: str | None, tried: Attempt) -> None:
        """Remembers what a challenger's try came to; its second try takes the place of the first."""

    def attempts(self, champion: str | None) -> list[Attempt]:
        """Every try against this champion, in the order in which the challengers first came."""


def at(hub: Hub) -> Shelf:
    match hub.kind:
        case "folder":
            from pipeline.hub import folder

            return folder.Folder(Path(hub.repo))
        case "huggingface":
            from pipeline.hub import huggingface

            return huggingface.Repository(hub.repo, copies())


def copies() -> Path:
    """Where this machine keeps what it fetched from a hub elsewhere."""
    return Path(os.environ.get("SHELF", "var/shelf"))


def reigning(shelf: Shelf) -> Release | None:
    return next(reversed(reigns(shelf)), None)


def reigns(shelf: Shelf) -> list[Release]:
    """The releases that nobody withdrew."""
    withdrawn = shelf.withdrawn()
    return [release for release in shelf.releases() if release.bundle not in withdrawn]


def refuse_overtaken(shelf: Shelf, release: Release, where: object) -> None:
    champion = reigning(shelf)
    now = champion.bundle if champion else None
    if now != release.beat:
        raise Fixable(
            f"{where}: the challenger beat {release.beat}, but the champion is {now} by now; "
            "run the night again"
        )


def next_version(releases: list[Release]) -> str:
    if not releases:
        return "1.0.0"
    major, minor, _ = releases[-1].version.split(".")
    return f"{major}.{int(minor) + 1}.0"
