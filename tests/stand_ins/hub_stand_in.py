"""A Hugging Face hub on loopback, as far as its real client speaks with one: history, LFS, tags, faults.

It keeps everything in memory, answers every call in the hub's own shape, and can be told to fail: a status, a
connection cut in the middle, or a pause that lets a test kill the client.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from listening import Listening, Speaker

TOKEN = "hf_secret"
LARGE = (".onnx", ".safetensors")


@dataclass
class Commit:
    oid: str
    parent: str | None
    title: str
    files: dict[str, bytes]


@dataclass
class Repo:
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def add(self, branch: str, files: dict[str, bytes], title: str) -> Commit:
        parent = self.branches.get(branch)
        seed = json.dumps([parent, title, len(self.commits)]).encode()
        made = Commit(hashlib.sha1(seed).hexdigest(), parent, title, files)
        self.commits[made.oid] = made
        self.branches[branch] = made.oid
        return made

    def at(self, revision: str) -> Commit | None:
        oid = self.branches.get(revision) or self.tags.get(revision) or revision
        return self.commits.get(oid)

    def history(self, branch: str = "main") -> list[Commit]:
        found, oid = [], self.branches.get(branch)
        while oid:
            found.append(self.commits[oid])
            oid = self.commits[oid].parent
        return found[::-1]


@dataclass
class Fault:
    """What happens to the next `times` requests that match, before or after the deed itself."""

    method: str
    path: str
    how: int | str | Callable[[], None]
    times: int = 1
    after: bool = False


class StandIn:
    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.large: dict[str, bytes] = {}
        self.faults: list[Fault] = []
        self.calls: list[str] = []
        self.lock = threading.RLock()

    def fail(self, method: str, path: str, how: int | str | Callable[[], None], **given: Any) -> None:
        self.faults.append(Fault(method, path, how, **given))

    def due(self, method: str, path: str, after: bool) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if (
                    (fault.method, fault.after) == (method, after)
                    and re.search(fault.path, path)
                    and fault.times
                ):
                    fault.times -= 1
                    return fault
        return None

    def seen(self, pattern: str) -> int:
        return sum(bool(re.search(pattern, call)) for call in self.calls)


class Cut(Exception):
    """The connection ends here."""


@contextmanager
def served() -> Iterator[tuple[StandIn, str]]:
    hub = StandIn()
    with Listening(type("Bound", (Handler,), {"hub": hub})) as server:
        yield hub, server.url


class Handler(Speaker):
    hub: StandIn

    def do_GET(self) -> None:
        self._meet()

    do_POST = do_PUT = do_HEAD = do_DELETE = do_GET

    def _meet(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.calls.append(f"{self.command} {path}")
        try:
            self._suffer(path, after=False)
            self.sent = self.body()
            with self.hub.lock:
                answer = self._answer(path)
            self._suffer(path, after=True)
            self.say(*answer)
        except (Cut, ConnectionError):
            self.close_connection = True

    def _suffer(self, path: str, after: bool) -> None:
        fault = self.hub.due(self.command, path, after)
        if fault is None:
            return
        if callable(fault.how):
            fault.how()
        elif fault.how == "cut":
            if not after:
                self.rfile.read(int(self.headers.get("Content-Length", 0)) // 2)
            raise Cut
        else:
            self.body()
            self.say(int(fault.how), {"error": "a fault that was asked for"})
            raise Cut

    def _answer(self, path: str) -> tuple[Any, ...]:
        if path == "/":
            return 200, b""
        if path.startswith("/storage/"):
            return self._stored(path.rpartition("/")[2])
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _error(401, "Invalid credentials in Authorization header")
        if path == "/api/repos/create":
            return self._create(json.loads(self.sent))
        if path == "/api/validate-yaml":
            return self._validate(json.loads(self.sent))
        if found := re.fullmatch(r"/([\w-]+/[\w-]+)\.git/info/lfs/objects/(batch|verify)", path):
            return self._batch(json.loads(self.sent)) if found[2] == "batch" else self._verify()
        if found := re.fullmatch(r"(?:/datasets)?/([\w-]+/[\w-]+)/resolve/([^/]+)/(.+)", path):
            return self._resolve(*found.groups())
        if found := re.fullmatch(r"/api/(?:models|datasets)/([\w-]+/[\w-]+)(?:/(\w+)(?:/(.+))?)?", path):
            return self._api(found[1], found[2] or "revision", found[3] or "main")
        return _error(404, f"{path}: no such route")

    def _api(self, name: str, what: str, rest: str) -> tuple[Any, ...]:
        repo = self.hub.repos.get(name)
        if repo is None:
            return _error(404, "Repository not found", "RepoNotFound")
        match what:
            case "refs":
                refs = {kind: _refs(kind, getattr(repo, kind)) for kind in ("branches", "tags")}
                return 200, {**refs, "converts": []}
            case "branch":
                return self._branch(repo, rest)
            case "tag":
                return self._tag(repo, rest)
        commit = repo.at(rest)
        if commit is None:
            return _error(404, "Invalid rev id", "RevisionNotFound")
        match what:
            case "revision":
                siblings = [{"rfilename": file} for file in commit.files]
                return 200, {"id": name, "sha": commit.oid, "private": False, "siblings": siblings}
            case "tree":
                return 200, [_described(file, data) for file, data in sorted(commit.files.items())]
            case "preupload":
                return 200, {"files": [_mode(file, commit) for file in json.loads(self.sent)["files"]]}
            case "commit":
                return self._commit(repo, name, rest)
        return _error(404, f"{what}: no such route")

    def _create(self, asked: dict[str, Any]) -> tuple[Any, ...]:
        name = f"{asked['organization']}/{asked['name']}"
        if name in self.hub.repos:
            return 409, {"error": "You already created this model repo", "url": f"{self._url()}/{name}"}
        self.hub.repos[name] = Repo()
        self.hub.repos[name].add("main", {".gitattributes": b"*.onnx filter=lfs"}, "initial commit")
        return 200, {"url": f"{self._url()}/{name}", "name": name}

    def _validate(self, asked: dict[str, Any]) -> tuple[Any, ...]:
        if re.match(r"---\n.*?\nlicense: .*?\n---\n|---\nlicense: ", asked["content"], re.DOTALL):
            return 200, {"errors": [], "warnings": []}
        return 400, {"errors": [{"message": "no license"}], "warnings": []}

    def _batch(self, asked: dict[str, Any]) -> tuple[Any, ...]:
        assert asked["operation"] == "upload" and asked["hash_algo"] == "sha256"
        objects = []
        for one in asked["objects"]:
            to = {"upload": {"href": f"{self._elsewhere()}/storage/{one['oid']}"}}
            objects.append(one if one["oid"] in self.hub.large else {**one, "actions": to})
        return 200, {"transfer": "basic", "objects": objects}

    def _verify(self) -> tuple[Any, ...]:
        return 200, {}

    def _stored(self, oid: str) -> tuple[Any, ...]:
        if self.command == "PUT":
            if hashlib.sha256(self.sent).hexdigest() != oid:
                return 400, b""
            self.hub.large[oid] = self.sent
        return 200, self.hub.large[oid]

    def _commit(self, repo: Repo, name: str, branch: str) -> tuple[Any, ...]:
        lines = [json.loads(line) for line in self.sent.splitlines()]
        header = lines[0]["value"]
        if header.get("parentCommit") != repo.branches[branch]:
            return _error(412, "A commit has happened since. Please refresh and try again.")
        files = dict(repo.commits[repo.branches[branch]].files)
        for line in lines[1:]:
            value = line["value"]
            match line["key"]:
                case "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    if value["oid"] not in self.hub.large:
                        return _error(400, f"{value['path']}: not uploaded")
                    files[value["path"]] = self.hub.large[value["oid"]]
                case "deletedFile":
                    del files[value["path"]]
        made = repo.add(branch, files, header["summary"])
        return 200, {
            "commitUrl": f"{self._url()}/{name}/commit/{made.oid}",
            "commitOid": made.oid,
            "success": True,
        }

    def _branch(self, repo: Repo, name: str) -> tuple[Any, ...]:
        if name in repo.branches:
            return _error(409, "Reference already exists")
        repo.branches[name] = repo.branches["main"]
        return 200, {}

    def _tag(self, repo: Repo, revision: str) -> tuple[Any, ...]:
        name, commit = json.loads(self.sent)["tag"], repo.at(revision)
        if name in repo.tags:
            return _error(409, "Tag reference exists already")
        assert commit
        repo.tags[name] = commit.oid
        return 200, {}

    def _resolve(self, name: str, revision: str, file: str) -> tuple[Any, ...]:
        repo = self.hub.repos.get(name)
        if repo is None:
            return _error(404, "Repository not found", "RepoNotFound")
        commit = repo.at(revision)
        if commit is None:
            return _error(404, "Invalid rev id", "RevisionNotFound")
        if file not in commit.files:
            return _error(404, "Entry not found", "EntryNotFound")
        data = commit.files[file]
        headers = {"X-Repo-Commit": commit.oid, "ETag": f'"{_etag(file, data)}"'}
        if not file.endswith(LARGE):
            return 200, data, headers
        linked = {"X-Linked-Size": str(len(data)), "X-Linked-ETag": headers["ETag"]}
        where = f"{self._elsewhere()}/storage/{hashlib.sha256(data).hexdigest()}"
        return 302, b"", {**headers, **linked, "Location": where}

    def _url(self) -> str:
        return f"http://{self.headers['Host']}"

    def _elsewhere(self) -> str:
        """Large files lie on another host, to which the client shows no token."""
        assert "localhost" not in self.headers["Host"]
        return self._url().replace("127.0.0.1", "localhost")


def _error(status: int, message: str, code: str = "") -> tuple[Any, ...]:
    headers = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {})}
    return status, {"error": message}, headers


def _refs(kind: str, refs: dict[str, str]) -> list[dict[str, str]]:
    word = {"branches": "heads", "tags": "tags"}[kind]
    return [{"name": n, "ref": f"refs/{word}/{n}", "targetCommit": oid} for n, oid in refs.items()]


def _git(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _etag(file: str, data: bytes) -> str:
    return hashlib.sha256(data).hexdigest() if file.endswith(LARGE) else _git(data)


def _described(file: str, data: bytes) -> dict[str, Any]:
    shown: dict[str, Any] = {"type": "file", "path": file, "size": len(data), "oid": _git(data)}
    if file.endswith(LARGE):
        shown["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
    return shown


def _mode(file: dict[str, Any], commit: Commit) -> dict[str, Any]:
    path = file["path"]
    there = {"oid": _etag(path, commit.files[path])} if path in commit.files else {}
    return {
        "path": path,
        "uploadMode": "lfs" if path.endswith(LARGE) else "regular",
        "shouldIgnore": False,
    } | there
