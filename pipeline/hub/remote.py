"""A repository on a Hugging Face hub, through the hub's own client: heads, tags, commits, files by commit."""

import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TypeVar

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, constants, get_session
from huggingface_hub.errors import (  # type: ignore[attr-defined]  # HTTPError is its HTTP library's
    HfHubHTTPError,
    HTTPError,
    LocalEntryNotFoundError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

from inference_runtime.errors import Away, Fixable

T = TypeVar("T")

MAIN = "main"
KEPT = ".gitattributes"  # the hub's own: says which files are large
PAUSES = (0.5, 2.0, 6.0)
# Uploads and downloads wrap what went wrong on the way in errors of their own.
FAILED = (HTTPError, LocalEntryNotFoundError, RuntimeError)


class Moved(Exception):
    """Somebody else was faster: the branch or the tag is not what was last seen."""


class Remote:
    def __init__(self, repo: str, cache: Path) -> None:
        disable_progress_bars()
        self.repo, self._cache, self._api = repo, cache, HfApi()

    def head(self, branch: str = MAIN) -> str | None:
        return self._refs("branches").get(branch)

    def tags(self) -> dict[str, str]:
        return self._refs("tags")

    def found(self) -> bool:
        try:
            self._api.repo_info(self.repo)
        except RepositoryNotFoundError as error:
            # To a stranger the hub says so of what is private, too: nothing may be built on that.
            if error.response.status_code == 401:
                raise
            return False
        return True

    def make(self) -> None:
        """Public, as the subnet wants it; one that is there stays as it is."""
        self._api.create_repo(self.repo, private=False, exist_ok=True)

    def branch(self, name: str) -> None:
        self._api.create_branch(self.repo, branch=name, exist_ok=True)

    def tag(self, name: str, commit: str) -> None:
        try:
            self._api.create_tag(self.repo, tag=name, revision=commit)
        except HfHubHTTPError as error:
            if error.response.status_code != 409:
                raise
            if self.tags().get(name) != commit:
                raise Moved(f"tag {name}") from error

    def commit(
        self,
        files: Mapping[str, Path | bytes],
        parent: str,
        message: str,
        branch: str = MAIN,
        alone: bool = False,
    ) -> str:
        """One atomic commit on top of `parent` and nothing else; `alone` leaves no other file."""
        operations: list[CommitOperationAdd | CommitOperationDelete] = [
            CommitOperationAdd(name, data) for name, data in sorted(files.items())
        ]
        if alone:
            gone = set(self._files(parent)) - files.keys() - {KEPT}
            operations += [CommitOperationDelete(name, is_folder=False) for name in sorted(gone)]
        try:
            done = self._api.create_commit(
                self.repo, operations, commit_message=message, revision=branch, parent_commit=parent
            )
        except HfHubHTTPError as error:
            if error.response.status_code in (409, 412):
                raise Moved(branch) from error
            raise
        return str(done.oid)

    def text(self, name: str, commit: str) -> bytes | None:
        """A file as it is in a commit; commits do not change, so it is fetched once."""
        try:
            found = self._api.hf_hub_download(self.repo, name, revision=commit, cache_dir=self._cache)
        except RemoteEntryNotFoundError:
            return None
        return Path(found).read_bytes()

    def snapshot(self, commit: str, without: tuple[str, ...]) -> Path:
        found = self._api.snapshot_download(
            self.repo, revision=commit, cache_dir=self._cache, ignore_patterns=list(without)
        )
        return Path(found)

    def seconds_ahead(self) -> float:
        """Of this machine's clock before the hub's."""
        said = get_session().head(constants.ENDPOINT).headers.get("Date")
        return time.time() - parsedate_to_datetime(said).timestamp() if said else 0.0

    def _files(self, commit: str) -> list[str]:
        return self._api.list_repo_files(self.repo, revision=commit)

    def _refs(self, kind: str) -> dict[str, str]:
        if not self.found():
            return {}
        refs = self._api.list_repo_refs(self.repo)
        return {ref.name: ref.target_commit for ref in getattr(refs, kind)}


def patiently(repo: str, step: Callable[[], T]) -> T:
    """Takes the step again after what passes by itself. A step looks first at what is there already, for an
    answer that was lost may stand for a deed that was done."""
    for pause in PAUSES:
        try:
            return step()
        except (*FAILED, Moved) as error:
            if not _passes(error):
                raise _explained(repo, error) from error
            time.sleep(pause)
    try:
        return step()
    except (*FAILED, Moved) as error:
        raise _explained(repo, error) from error


def _passes(error: Exception) -> bool:
    status = _status(error)
    return isinstance(error, Moved) or (
        _caused(error) is not None and (status is None or status in (408, 429) or status >= 500)
    )


def _explained(repo: str, error: Exception) -> Exception:
    status, at = _status(error), f"{constants.ENDPOINT}/{repo}"
    if isinstance(error, Moved):
        return Fixable(
            f"{at}: {error} moves while it is written to; let one machine publish, and run it again"
        )
    if _caused(error) is None:
        return error
    if status in (401, 403):
        return Fixable(f"HF_TOKEN: {at} answered {status}; set a token that may write there")
    if isinstance(error, RevisionNotFoundError):
        return Fixable(f"{at}: a revision is gone; look at the repository's history")
    if status is None:
        return Away(f"{at}: out of reach ({_line(error)}); run it again, it goes on from there")
    return Away(f"{at}: answered {status} ({_line(error)}); run it again, it goes on from there")


def _status(error: Exception) -> int | None:
    cause = _caused(error)
    return cause.response.status_code if isinstance(cause, HfHubHTTPError) else None


def _caused(error: BaseException | None) -> HTTPError | None:
    """The exchange that failed."""
    while error is not None:
        if isinstance(error, HTTPError):
            return error
        error = error.__cause__
    return None


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
