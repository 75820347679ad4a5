"""The MongoDB that FiftyOne needs: the one that is named, or one embedded in this checkout.

FiftyOne never starts its own: it looks for servers by their process arguments and not by their data folder,
so two projects on one machine would share a database by accident.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

from inference_runtime.errors import Away, Fixable
from pipeline.services import records, remains, supervise
from pipeline.services.records import Record
from pipeline.services.supervise import Service

NAME = "mongo"
PORT = 27072
SECONDS_TO_ANSWER = 5


@contextmanager
def running() -> Iterator[str]:
    """The URI of a server that stands while the block runs, with FiftyOne's environment set for it.

    Enter before `import fiftyone`, which reads the environment. An embedded server that nobody asked to keep
    is stopped by the last of its users, in whatever order and in however many processes they come and go.
    """
    if uri := os.environ.get("FIFTYONE_DATABASE_URI"):
        _greet(uri)
        with _environment(fiftyone(uri)):
            yield uri
        return
    with _attended() as uri, _environment(fiftyone(uri)):
        yield uri


def _greet(uri: str) -> None:
    """FiftyOne itself would wait half a minute for a server that is not there, and then tell nobody which."""
    from pymongo import MongoClient
    from pymongo.errors import PyMongoError

    where = uri.rpartition("@")[2]  # without the password
    try:
        with MongoClient(uri, serverSelectionTimeoutMS=SECONDS_TO_ANSWER * 1000) as client:
            client.admin.command("ping")
    except PyMongoError as error:
        raise Away(
            f"FIFTYONE_DATABASE_URI: {where} does not answer ({type(error).__name__}); start it, correct "
            "the address, or unset it: a server of its own is then started"
        ) from None


def up() -> Record:
    """Keeps the server until `down`, also one that a stage has started."""
    with records.locked(NAME):
        record = _started(kept=True)
        if not record.kept:
            record = replace(record, kept=True)
            records.remember(record)
    return record


def fiftyone(uri: str) -> dict[str, str]:
    """What FiftyOne must find in its environment."""
    folder = records.house() / "var" / "fiftyone"
    return {
        "FIFTYONE_DATABASE_URI": uri,
        "FIFTYONE_DATABASE_NAME": os.environ.get("FIFTYONE_DATABASE_NAME", "retrain72"),
        "FIFTYONE_DATABASE_VALIDATION": "false",
        "FIFTYONE_DATABASE_DIR": str(data()),
        "FIFTYONE_DEFAULT_DATASET_DIR": str(folder),
        "FIFTYONE_DO_NOT_TRACK": "true",
    }


def data() -> Path:
    return records.house() / "var" / "mongo"


def binary() -> Path:
    embedded = records.house() / ".mongod" / "fiftyone" / "db" / "bin" / "mongod"
    if found := embedded if embedded.is_file() else shutil.which("mongod"):
        return Path(found)
    raise Fixable(
        f"{embedded}: no MongoDB server; run `make setup`, or set FIFTYONE_DATABASE_URI to one of yours"
    )


@contextmanager
def _attended() -> Iterator[str]:
    with _users() as users:
        with records.locked(NAME):
            fcntl.flock(users, fcntl.LOCK_SH)
            record = _started(kept=False)
        try:
            yield record.url
        finally:
            with records.locked(NAME):
                _leave(users)


def _leave(users: IO[str]) -> None:
    """The last one out puts out the light; a killed user's lock went with it."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    record = records.running(NAME)
    if record and not record.kept:
        remains.stop(NAME)


@contextmanager
def _users() -> Iterator[IO[str]]:
    records.services().mkdir(parents=True, exist_ok=True)
    with (records.services() / f"{NAME}.users").open("w") as users:
        yield users


def _started(kept: bool) -> Record:
    service = _service(kept)
    try:
        return supervise.start(service)
    except Fixable:
        elsewhere = _service(kept)
        if elsewhere.port == service.port:
            raise
        return supervise.start(elsewhere)  # another house took the port in between


def _service(kept: bool) -> Service:
    port = supervise.free_port(NAME, PORT)
    data().mkdir(parents=True, exist_ok=True)
    return Service(
        name=NAME,
        command=[str(binary()), *_options(port)],
        port=port,
        url=f"mongodb://127.0.0.1:{port}",
        ready=supervise.listens,  # which mongod does once it has recovered its journal
        kept=kept,
    )


def _options(port: int) -> list[str]:
    return [
        *("--dbpath", str(data()), "--bind_ip", "127.0.0.1", "--port", str(port)),
        *("--nounixsocket", "--wiredTigerCacheSizeGB", "1", "--quiet"),
        *("--setParameter", "diagnosticDataCollectionEnabled=false"),
    ]


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
