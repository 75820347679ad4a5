"""Services, real ones: started, found again, and ended whatever was killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import brightness
import psutil
import pytest

from inference_runtime import bundle
from inference_runtime.errors import Fixable
from pipeline import services
from pipeline.services import mongo, records, remains, runtime, supervise
from pipeline.services.records import Record
from pipeline.services.supervise import Service

REPOSITORY = Path(__file__).resolve().parents[2]

# A leader with a child in its session and one that left it, as Airflow's tasks and daemons do.
FAMILY = """
import subprocess, sys
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
pids = [subprocess.Popen(sleep).pid, subprocess.Popen(sleep, start_new_session=True).pid]
open("family", "w").write(" ".join(map(str, pids)))
from http.server import ThreadingHTTPServer, SimpleHTTPRequestHandler
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), SimpleHTTPRequestHandler).serve_forever()
"""


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("RETRAIN_HOME", str(tmp_path))
    for name in ("FIFTYONE_DATABASE_URI", "RUNTIME_URL", "RUNTIME_ADMIN_URL", "RUNTIME_ADMIN_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(runtime, "PORT", any_port())
    (tmp_path / ".mongod").symlink_to(REPOSITORY / ".mongod")
    yield tmp_path
    remains.stop(*records.names())  # those too that `down` does not know
    services.down()


def any_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def web(command: str = FAMILY, patience: float = 20) -> Service:
    port = supervise.free_port("web", any_port())
    return Service(
        name="web",
        command=[sys.executable, "-c", command, str(port)],
        port=port,
        url=f"http://127.0.0.1:{port}",
        ready=supervise.listens,
        patience=patience,
    )


def family(house: Path) -> list[int]:
    return [int(pid) for pid in (house / "family").read_text().split()]


def living(pids: list[int]) -> list[int]:
    return [pid for pid in pids if records.birth(pid)]


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while records.birth(pid) and time.monotonic() < deadline:
        time.sleep(0.01)


def test_two_starts_make_one_service(house: Path) -> None:
    first = supervise.start(web())
    assert supervise.start(web()) == first
    with urllib.request.urlopen(first.url) as answer:
        assert answer.status == 200


def test_stop_ends_the_leader_and_its_children_wherever_they_went(house: Path) -> None:
    record = supervise.start(web())
    pids = [record.pid, *family(house)]
    assert living(pids) == pids
    assert remains.stop("web") == ["web"]
    assert living(pids) == []
    assert remains.stop("web") == []


def test_nothing_is_lost_when_the_leader_is_killed(house: Path) -> None:
    record = supervise.start(web())
    child, stray = family(house)
    kill(record.pid)
    assert living([child, stray]) == [child, stray]
    remains.stop("web")
    assert living([child, stray]) == [stray]  # it left the session: only its mark tells
    assert remains.sweep() == [stray]
    assert living([stray]) == []


def test_a_sweep_spares_what_runs_on_purpose_and_other_houses(
    house: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = supervise.start(web())
    pids = [record.pid, *family(house)]
    assert remains.sweep() == []
    monkeypatch.setenv("RETRAIN_HOME", str(tmp_path_factory.mktemp("other")))
    assert remains.sweep() == []
    assert living(pids) == pids
    monkeypatch.setenv("RETRAIN_HOME", str(house))
    remains.stop("web")


UP_THAT_IS_KILLED = """
import os, signal, sys
from pipeline.services import supervise
from pipeline.services.supervise import Service
def never(record):
    os.kill(os.getpid(), signal.SIGKILL)
supervise.start(Service("web", [sys.executable, "-c", "import time; time.sleep(600)"], 1, "", never))
"""


def test_down_finds_what_a_killed_up_had_started(house: Path) -> None:
    up = subprocess.run([sys.executable, "-c", UP_THAT_IS_KILLED], check=False, cwd=REPOSITORY)
    assert up.returncode == -signal.SIGKILL
    record = records.known("web")
    assert record and records.alive(record)
    remains.stop("web")
    assert not records.alive(record)


def test_a_pid_that_a_stranger_has_now_is_left_alone(house: Path) -> None:
    stranger = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
    )
    try:
        records.remember(Record("web", stranger.pid, "1@before", 1, "", "2026-11-20T00:00:00+00:00"))
        assert records.running("web") is None
        assert remains.stop("web") == []
        assert stranger.poll() is None
        assert records.known("web") is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_dead_service_is_started_again_where_it_was(house: Path) -> None:
    first = supervise.start(web())
    kill(first.pid)
    again = supervise.start(web())
    assert (again.port, again.pid != first.pid) == (first.port, True)
    remains.stop("web")


def test_a_busy_port_is_walked_around(house: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupant:
        taken = occupant.getsockname()[1]
        assert supervise.free_port("web", taken) not in (0, taken)


def test_one_that_ends_while_starting_shows_its_last_word(house: Path) -> None:
    with pytest.raises(Fixable, match=r"web\.log: web ended while starting: no such luck"):
        supervise.start(web("import sys; sys.exit('no such luck')"))


def test_one_that_is_never_ready_is_not_awaited_for_ever(house: Path) -> None:
    with pytest.raises(Fixable, match=r"web\.log: web not ready after 0 s: it said nothing"):
        supervise.start(web("import time; time.sleep(600)", patience=0.3))
    remains.stop("web")


def test_status_tells_up_died_and_down(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = supervise.start(replace(web(), name="runtime"))
    dead = replace(record, name="app", birth="1@before")
    records.remember(dead)
    services.status()
    rows = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines()}
    assert rows["service"] == ["state", "pid", "where"]
    assert rows["runtime"] == ["up", str(record.pid), record.url]
    assert rows["app"] == ["died", "see", str(records.log_of("app"))]
    assert rows["mongo"] == ["down"]


def test_no_dvc_yaml_is_a_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RETRAIN_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        Fixable, match=r"^dvc\.yaml: not found in .*; go into the repository, or set RETRAIN_HOME"
    ):
        records.house()
    (tmp_path / "dvc.yaml").touch()
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    assert records.house() == tmp_path


needs_mongod = pytest.mark.skipif(not (REPOSITORY / ".mongod").exists(), reason="needs `make setup`")


def ping(uri: str) -> bool:
    import pymongo

    with pymongo.MongoClient[dict[str, object]](uri, serverSelectionTimeoutMS=5000) as client:
        return bool(client.admin.command("ping")["ok"])


@needs_mongod
def test_mongo_runs_for_a_block_and_leaves_the_environment_as_it_was(house: Path) -> None:
    before = dict(os.environ)
    with mongo.running() as uri:
        assert os.environ["FIFTYONE_DATABASE_URI"] == uri
        assert ping(uri)
        with mongo.running() as inner:
            assert inner == uri
        assert ping(uri)
        pid = records.known("mongo").pid  # type: ignore[union-attr]
    assert dict(os.environ) == before
    assert living([pid]) == []


@needs_mongod
def test_mongo_survives_kill_9_of_its_user_and_of_itself(house: Path) -> None:
    user = "import os\nfrom pipeline.services import mongo\nwith mongo.running():\n os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", user], check=False, cwd=REPOSITORY)
    left = records.running("mongo")
    assert left
    with mongo.running() as uri:
        assert records.running("mongo") == left  # taken over
        write(uri)
        kill(left.pid)
    with mongo.running() as uri:  # with the lock of a dead server in its folder
        assert count(uri) == 1
    assert records.running("mongo") is None


def write(uri: str) -> None:
    import pymongo

    with pymongo.MongoClient[dict[str, object]](uri) as client:
        client.house.rows.with_options(write_concern=pymongo.WriteConcern(j=True)).insert_one({"a": 1})


def count(uri: str) -> int:
    import pymongo

    with pymongo.MongoClient[dict[str, object]](uri) as client:
        return client.house.rows.count_documents({})


@needs_mongod
def test_many_users_at_once_share_one_server_and_the_last_stops_it(house: Path) -> None:
    user = (
        "import random, time\nfrom pipeline.services import mongo, records\n"
        "with mongo.running():\n time.sleep(random.random())\n print(records.running('mongo').pid)"
    )
    users = [
        subprocess.Popen([sys.executable, "-c", user], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
        for _ in range(4)
    ]
    pids = {one.communicate(timeout=60)[0].strip() for one in users}
    assert [one.returncode for one in users] == [0] * 4
    assert len(pids) == 1
    assert living([int(pid) for pid in pids]) == []


@needs_mongod
def test_houses_that_start_at_once_do_not_share_a_server(
    house: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    user = (
        "import time\nfrom pipeline.services import mongo, records\n"
        "with mongo.running() as uri:\n time.sleep(1)\n print(uri, records.running('mongo').pid)"
    )
    neighbours = []
    for number in range(3):
        other = tmp_path_factory.mktemp(f"house{number}")
        (other / ".mongod").symlink_to(REPOSITORY / ".mongod")
        environment = {**os.environ, "RETRAIN_HOME": str(other)}
        neighbours.append(
            subprocess.Popen([sys.executable, "-c", user], stdout=subprocess.PIPE, text=True, env=environment)
        )
    said = [one.communicate(timeout=60)[0].split() for one in neighbours]
    assert len({uri for uri, _ in said}) == len({pid for _, pid in said}) == 3


@needs_mongod
def test_up_keeps_a_server_that_a_stage_has_started(house: Path) -> None:
    with mongo.running():
        record = mongo.up()
    assert records.running("mongo") == record
    assert record.kept
    services.down()
    assert not records.alive(record)


@needs_mongod
def test_a_named_server_is_used_and_none_started(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with mongo.running() as standing:
        before = records.known("mongo")
        # Undone before the block ends, or the address would outlive the server.
        with monkeypatch.context() as named:
            named.setenv("FIFTYONE_DATABASE_URI", standing)
            with mongo.running() as uri:
                assert uri == standing == os.environ["FIFTYONE_DATABASE_URI"]
                assert os.environ["FIFTYONE_DO_NOT_TRACK"] == "true"
        assert records.known("mongo") == before  # and it stands: it was not ours to stop


def test_no_mongod_says_make_setup(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (house / ".mongod").unlink()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Fixable, match=r"bin/mongod: no MongoDB server; run `make setup`"), mongo.running():
        pass


def bundled(folder: Path, logit: float) -> Path:
    """A bundle that gives every picture the same answer."""
    return brightness.sealed(folder, 8, slope=0.0, offset=-logit).folder


def test_the_runtime_serves_the_champion_and_swaps_without_a_restart(house: Path) -> None:
    assert runtime.models() is None
    first, second = bundled(house / "first", 1.0), bundled(house / "second", 2.0)
    record = runtime.start(lambda: first)
    assert runtime.start(lambda: pytest.fail("one is up")) == record
    assert served() == bundle.load(first).id
    runtime.place(second, "shadow")
    assert runtime.comparison()["challenger"] == bundle.load(second).id
    runtime.promote(bundle.load(second).id)
    assert served() == bundle.load(second).id
    assert runtime.rollback()["serving"]["bundle"] == served() == bundle.load(first).id
    runtime.swap(second)
    assert runtime.roles()["previous"]["bundle"] == bundle.load(first).id
    assert records.running("runtime") == record
    (house / "second" / "model.onnx").write_bytes(b"altered")
    with pytest.raises(Fixable, match=r"the runtime answered 409: .*model\.onnx"):
        runtime.swap(second)
    services.down(["runtime"])
    with pytest.raises(Fixable, match="no runtime is up; `make up` starts one"):
        runtime.swap(first)


def served() -> str:
    models = runtime.models()
    assert models
    return str(models["bundle"])


def test_a_runtime_without_its_bundle_says_so(house: Path) -> None:
    with pytest.raises(Fixable, match=r"runtime\.log: runtime ended while starting: .*nowhere"):
        runtime.start(lambda: house / "nowhere")


def test_a_runtime_elsewhere_is_asked_by_its_address(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_URL", "http://127.0.0.1:9/")
    with pytest.raises(Fixable, match=r"^http://127\.0\.0\.1:9/v1/models: no runtime answers"):
        runtime.models()
    with pytest.raises(Fixable, match="RUNTIME_ADMIN_URL: not set, but RUNTIME_URL is"):
        runtime.rollback()
    monkeypatch.setenv("RUNTIME_ADMIN_URL", "http://127.0.0.1:9/")
    with pytest.raises(Fixable, match=r"^http://127\.0\.0\.1:9/admin/rollback: no runtime answers"):
        runtime.rollback()


def test_the_admin_token_is_only_its_owners(house: Path) -> None:
    token = runtime._token()
    assert runtime._token() == token
    assert (records.services() / "token").stat().st_mode & 0o777 == 0o600
    assert len(token) > 30


def test_records_are_readable(house: Path) -> None:
    record = supervise.start(web())
    written = json.loads((records.services() / "web.json").read_text())
    assert written["pid"] == record.pid == psutil.Process(record.pid).pid
    assert set(written) == {"name", "pid", "birth", "port", "url", "admin", "started", "kept"}
    remains.stop("web")
