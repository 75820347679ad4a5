"""The embedded hub: bundles in a folder, releases as small files whose appearance is the promotion."""

import fcntl
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from inference_runtime import bundle as bundles
from inference_runtime.bundle import Bundle
from inference_runtime.errors import Fixable
from pipeline import drafts
from pipeline.hub import Attempt, Release, ledger, refuse_overtaken, sealed, with_attempt


class Folder:
    def __init__(self, root: Path) -> None:
        self.root = root

    def releases(self) -> list[Release]:
        files = sorted((self.root / "releases").glob("*.json"))
        return [Release(**json.loads(file.read_text())) for file in files]

    def withdrawn(self) -> dict[str, str]:
        file = self.root / "withdrawn.json"
        return dict(json.loads(file.read_text())) if file.exists() else {}

    def withdraw(self, bundle: str, why: str) -> None:
        with self._alone():
            told = {bundle: why} | self.withdrawn()
            drafts.write(self.root / "withdrawn.json", json.dumps(told, indent=2).encode())

    def place(self, bundle: str) -> Path:
        return self.root / "bundles" / bundle

    def fetch(self, bundle: str, to: Path) -> Bundle:
        if not self.place(bundle).is_dir():
            raise Fixable(f"{self.root}: bundle {bundle} is gone; restore the hub from its backup")
        shutil.copytree(self.place(bundle), to, dirs_exist_ok=True)
        return bundles.load(to)

    def release(
        self,
        folder: Path,
        release: Release,
        verdict: dict[str, object],
        papers: Mapping[str, bytes] | None = None,
    ) -> Release:
        with self._alone():
            before = self.releases()
            if done := next((old for old in before if old.bundle == release.bundle), None):
                return done
            refuse_overtaken(self, release, self.root)
            self._shelve(folder, release, verdict)
            for name, text in (papers or {}).items():
                drafts.write(self.root / "papers" / release.version / name, text)
            # Numbered, so that the order of names is the order of reigns. This file is the promotion.
            file = self.root / "releases" / f"{len(before):05d}-{release.version}.json"
            drafts.write(file, json.dumps(asdict(release), indent=2).encode())
            return release

    def record(self, champion: str | None, tried: Attempt) -> None:
        with self._alone():
            drafts.write(self._ledger(champion), with_attempt(self._noted(champion), tried))

    def attempts(self, champion: str | None) -> list[Attempt]:
        return ledger(self._noted(champion))

    def _noted(self, champion: str | None) -> bytes | None:
        file = self._ledger(champion)
        return file.read_bytes() if file.exists() else None

    def _shelve(self, folder: Path, release: Release, verdict: dict[str, object]) -> None:
        with drafts.folder(self.place(release.bundle)) as draft:
            sealed.copy(folder, draft, release, verdict)

    def _ledger(self, champion: str | None) -> Path:
        return self.root / "attempts" / f"{champion or 'none'}.json"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
