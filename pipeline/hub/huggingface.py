"""A model repository as the hub: one commit holds a release, and the tag that names it is the promotion.

A commit counts only once it was downloaded again, hashed and loaded; then it is tagged. What a kill leaves
before is a commit without a tag, which the next run takes up.
"""

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from inference_runtime import bundle as bundles
from inference_runtime.bundle import Bundle
from inference_runtime.errors import BundleError, Fixable
from inference_runtime.probe import loaded
from pipeline import drafts
from pipeline.hub import Attempt, Release, ledger, next_version, refuse_overtaken, sealed, with_attempt
from pipeline.hub.remote import KEPT, Remote, patiently

RELEASE = "release.json"
PAPERS = ("README.md", "LICENSE.md", "model_card.json")
LEDGER = "ledger"  # the branch of what is remembered and is no model
WITHDRAWN = "withdrawn.json"
LEEWAY = 60.0  # seconds by which two clocks may differ


class Repository:
    def __init__(self, repo: str, copies: Path) -> None:
        self.repo, self.copies = repo, copies
        self._remote = Remote(repo, copies / "downloads")

    def releases(self) -> list[Release]:
        return patiently(self.repo, self._releases)

    def withdrawn(self) -> dict[str, str]:
        noted = self._noted(WITHDRAWN)
        return dict(json.loads(noted)) if noted else {}

    def withdraw(self, bundle: str, why: str) -> None:
        def more(text: bytes | None) -> bytes:
            return json.dumps({bundle: why} | (json.loads(text) if text else {}), indent=1).encode()

        self._note(WITHDRAWN, more)

    def record(self, champion: str | None, tried: Attempt) -> None:
        self._note(_ledger(champion), lambda text: with_attempt(text, tried))

    def attempts(self, champion: str | None) -> list[Attempt]:
        return ledger(self._noted(_ledger(champion)))

    def place(self, bundle: str) -> Path:
        folder = self.copies / "bundles" / bundle
        if not folder.is_dir():
            patiently(self.repo, lambda: self._brought(self._commit_of(bundle), bundle))
        return folder

    def fetch(self, bundle: str, to: Path) -> Bundle:
        shutil.copytree(self.place(bundle), to, dirs_exist_ok=True)
        return bundles.load(to)

    def release(
        self,
        folder: Path,
        release: Release,
        verdict: dict[str, object],
        papers: Mapping[str, bytes] | None = None,
    ) -> Release:
        sealed.refuse_unsafe(folder)
        with drafts.folder(self.copies / "released") as draft:
            sealed.copy(folder, draft, release, verdict)
            for name, text in (papers or {}).items():
                (draft / name).write_bytes(text)
            (draft / RELEASE).write_text(json.dumps(asdict(release), indent=2))
            return patiently(self.repo, lambda: self._stepped(draft, release))

    def _stepped(self, draft: Path, release: Release) -> Release:
        """Whatever is still missing of a release; each part is looked for before it is done."""
        before = self._releases()
        if done := next((old for old in before if old.bundle == release.bundle), None):
            return done
        refuse_overtaken(self, release, self.repo)
        head = self._remote.head() or self._founded()
        standing = self._release_in(head)
        if standing is None or (standing.bundle, standing.version) != (release.bundle, next_version(before)):
            self._refuse_early()
            files: dict[str, Path | bytes] = {name: draft / name for name in _names(draft)}
            head = self._remote.commit(files, head, f"v{release.version}", alone=True)
            standing = release
        self._prove(head, release.bundle)
        self._remote.tag(f"v{standing.version}", head)
        return standing

    def _founded(self) -> str:
        self._remote.make()
        head = self._remote.head()
        if head is None:
            raise Fixable(f"{self.repo}: has no branch main; make the repository anew")
        return head

    def _refuse_early(self) -> None:
        ahead = self._remote.seconds_ahead()
        if ahead > LEEWAY:
            raise Fixable(
                f"{self.repo}: this machine's clock is {ahead:.0f} s ahead of the hub's, so submission_time"
                " would lie in the future; set the clock"
            )

    def _prove(self, commit: str, bundle: str) -> None:
        """What was pushed is what comes back, and it answers."""
        try:
            loaded(self._brought(commit, bundle).folder)
        except BundleError as error:
            raise Fixable(
                f"{self.repo}: commit {commit[:12]} does not count, nothing was tagged: {error}"
            ) from error

    def _brought(self, commit: str, bundle: str) -> Bundle:
        """A verified copy of a commit's bundle in its place."""
        beside = (*PAPERS, RELEASE, KEPT)
        downloaded = self._remote.snapshot(commit, without=beside)
        with drafts.folder(self.copies / "bundles" / bundle) as draft:
            shutil.copytree(downloaded, draft, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*beside))
            found = bundles.load(draft).id
            if found != bundle:
                raise BundleError(f"{draft}: is bundle {found}, not {bundle}")
        return bundles.load(self.copies / "bundles" / bundle)

    def _releases(self) -> list[Release]:
        return [release for release, _ in self._tagged()]

    def _tagged(self) -> list[tuple[Release, str]]:
        tags = {name: commit for name, commit in self._remote.tags().items() if _version(name)}
        found = [(self._release_in(tags[name]), tags[name]) for name in sorted(tags, key=_version)]
        return [(release, commit) for release, commit in found if release]

    def _release_in(self, commit: str) -> Release | None:
        text = self._remote.text(RELEASE, commit)
        return Release(**json.loads(text)) if text else None

    def _commit_of(self, bundle: str) -> str:
        for release, commit in self._tagged():
            if release.bundle == bundle:
                return commit
        raise Fixable(f"{self.repo}: bundle {bundle} is gone; a tag of the repository was removed")

    def _noted(self, name: str) -> bytes | None:
        def read() -> bytes | None:
            head = self._remote.head(LEDGER)
            return self._remote.text(name, head) if head else None

        return patiently(self.repo, read)

    def _note(self, name: str, changed: Callable[[bytes | None], bytes]) -> None:
        """Changes one note; what somebody else wrote meanwhile is read again first."""

        def write() -> None:
            head = self._remote.head(LEDGER)
            if head is None:
                self._remote.make()
                self._remote.branch(LEDGER)
                head = self._remote.head(LEDGER)
                assert head
            before = self._remote.text(name, head)
            after = changed(before)
            if after != before:
                self._remote.commit({name: after}, head, name, branch=LEDGER)

        patiently(self.repo, write)


def _ledger(champion: str | None) -> str:
    return f"attempts/{champion or 'none'}.json"


def _version(tag: str) -> tuple[int, ...]:
    """Of v1.2.3; empty for any other tag."""
    return tuple(map(int, tag[1:].split("."))) if re.fullmatch(r"v\d+\.\d+\.\d+", tag) else ()


def _names(folder: Path) -> list[str]:
    return [file.relative_to(folder).as_posix() for file in sorted(folder.rglob("*")) if file.is_file()]
