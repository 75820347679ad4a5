"""The embedded hub: bundles in a folder, releases as small files whose appearance is the promotion."""

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from inference_runtime import bundle as bundles
from inference_runtime.bundle import Bundle
from inference_runtime.errors import Fixable
from pipeline import drafts, measured
from pipeline.hub import Attempt, Release, attempt, reigning


class Folder:
    def __init__(self, root: Path) -> None:
        self.root = root

    def releases(self) -> list[Release]:
        files = sorted((self.root / "releases").glob("*.json"))
        return [Release(**json.loads(file.read_text())) for file in files]

    def place(self, bundle: str) -> Path:
        return self.root / "bundles" / bundle

    def fetch(self, bundle: str, to: Path) -> Bundle:
        if not self.place(bundle).is_dir():
            raise Fixable(f"{self.root}: bundle {bundle} is gone; restore the hub from its backup")
        shutil.copytree(self.place(bundle), to, dirs_exist_ok=True)
        return bundles.load(to)

    def release(self, folder: Path, release: Release, verdict: dict[str, object]) -> Release:
        with self._alone():
            before = self.releases()
            if done := next((old for old in before if old.bundle == release.bundle), None):
                return done
            self._refuse_overtaken(release)
            self._shelve(folder, release, verdict)
            # Numbered, so that the order of names is the order of reigns. This file is the promotion.
            file = self.root / "releases" / f"{len(before):05d}-{release.version}.json"
            drafts.write(file, json.dumps(asdict(release), indent=2).encode())
            return release

    def record(self, champion: str | None, tried: Attempt) -> None:
        with self._alone():
            before = {one.challenger: one for one in self.attempts(champion)}
            told = [asdict(one) for one in (before | {tried.challenger: tried}).values()]
            drafts.write(self._ledger(champion), json.dumps(told).encode())

    def attempts(self, champion: str | None) -> list[Attempt]:
        ledger = self._ledger(champion)
        return [attempt(told) for told in json.loads(ledger.read_text())] if ledger.exists() else []

    def _refuse_overtaken(self, release: Release) -> None:
        champion = reigning(self)
        now = champion.bundle if champion else None
        if now != release.beat:
            raise Fixable(
                f"{self.root}: the challenger beat {release.beat}, but the champion is {now} by now; "
                "run the night again"
            )

    def _shelve(self, folder: Path, release: Release, verdict: dict[str, object]) -> None:
        with drafts.folder(self.place(release.bundle)) as draft:
            shutil.copytree(folder, draft, dirs_exist_ok=True)
            times = measured.of(bundles.load(draft))
            bundles.attach(draft, version=release.version, verdict=verdict, measured=times)

    def _ledger(self, champion: str | None) -> Path:
        return self.root / "attempts" / f"{champion or 'none'}.json"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
