"""Where bundles live, which one is the champion, and who has tried to take its place."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

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


class Shelf(Protocol):
    def releases(self) -> list[Release]:
        """All champions there ever were, the reigning one last."""

    def fetch(self, bundle: str, to: Path) -> Bundle:
        """A verified copy of a released bundle in the folder `to`."""

    def place(self, bundle: str) -> Path:
        """A local folder that holds a released bundle."""

    def release(self, folder: Path, release: Release, verdict: dict[str, object]) -> Release:
        """Makes the bundle the champion, once: asked again, it answers with what was done the first time."""

    def record(self, champion: str | None, challenger: str) -> None:
        """Remembers that a challenger has tried; trying again does not count twice."""

    def attempts(self, champion: str | None) -> set[str]:
        """Every challenger that has tried to beat this champion."""


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
