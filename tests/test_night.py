"""A whole small night: by DVC alone and through Airflow the same bytes, and nothing done twice."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from pipeline import services, stages
from pipeline.services import airflow, records
from pipeline.services.airflow_api import Api

ROOT = Path(__file__).parent.parent
UNTIL = "2100-01-01T00:00:00Z"
DROPPED = ("IMAGES", "FEATURES", "RETRAIN_HOME", "AIRFLOW_HOME", "FIFTYONE_DATABASE_URI")
SMALL = {
    "world": {"base": 40, "gold": 30, "first": 40},
    "mine": {"cases": 12, "mistakes": 6},
    "synthesize": {"images": 4},
    "gate": {"parity_views": 8, "bootstrap": 50, "floor": 0.0, "replica": 30, "painted": 40},
    "backup": {"store": "../copies"},
}
ANSWER = """
from pathlib import Path
from inference_runtime import bundle
from inference_runtime.journal import Journal
from inference_runtime.predictor import Predictor
from pipeline import params
from pipeline.world import validators
predictor = Predictor(bundle.load(next(Path("var/hub/bundles").iterdir())))
journal = Journal(Path("var/journal"))
for number in range(30):
    data = validators.nth(7, number).data
    journal.append(predictor.predict([data])[0], data, 0.0)
journal.close()
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def shell(folder: Path, *command: str, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if name not in DROPPED}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    environment = {**kept, "PATH": path, "PYTHONPATH": str(folder), **environment}
    done = subprocess.run(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


def checkout(folder: Path) -> Path:
    """The repository's files as they are now, as a git repository of their own, with small numbers."""
    listed = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True)
    for name in filter(lambda name: (ROOT / name).is_file(), listed.splitlines()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / ".mongod").symlink_to(ROOT / ".mongod")
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    for section, changes in SMALL.items():
        values[section] |= changes
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    shell(folder, "git", "init", "-q")
    return folder


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two checkouts with the same world, the same champion and the same journal."""
    one = checkout(tmp_path_factory.mktemp("twins") / "one")
    shell(one, "python", "-m", "pipeline", "world", "seed")
    shell(one, "python", "-c", ANSWER)
    other = checkout(one.with_name("other"))
    shutil.copytree(one / "var", other / "var")
    return one, other


def contents(folder: Path) -> dict[str, str]:
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_dvc_and_airflow_make_the_same_bytes_and_a_second_night_makes_none(twins: tuple[Path, Path]) -> None:
    one, other = twins
    shell(one, "python", "-m", "dvc", "repro", UNTIL=UNTIL)
    told = shell(other, "python", "-m", "pipeline", "night", "--challenges", "0", "--until", UNTIL)
    assert "verdict" in told
    for stage in stages.NAMES:
        assert contents(one / "artifacts" / stage) == contents(other / "artifacts" / stage), stage
    again = shell(other, "python", "-m", "pipeline", "night", "--challenges", "0", "--until", UNTIL)
    assert again.count("unchanged, skipped") == len(stages.NAMES) - 2  # pull and champion always look
    assert not left_over(other)


LATER = """
from datetime import UTC, datetime
from pathlib import Path
from pipeline import fiftyone_view, params, samples
image = samples.read(Path("artifacts/mine"))["image"][0]
with fiftyone_view.opened(params.load().people.dataset) as view:
    view.say({image: 1}, "ann", datetime(2100, 6, 1, tzinfo=UTC), {})
"""
SAID = """
from pipeline import fiftyone_view, params
with fiftyone_view.opened(params.load().people.dataset) as view:
    print("said", view.labels().sort("image").rows(), view.tags().sort("image").rows())
    print("views", sorted(view.dataset.list_saved_views()))
"""


def test_all_is_deleted_and_restored_and_the_next_night_runs_as_if_nothing_had_happened(
    twins: tuple[Path, Path],
) -> None:
    house = twins[0]
    if not (house / "dvc.lock").exists():  # this test alone
        shell(house, "python", "-m", "dvc", "repro", UNTIL=UNTIL)
    shell(house, "python", "-c", LATER)  # a label that no night has seen yet
    said, made = what_people_said(house), contents(house / "artifacts")
    assert "'ann'" in said[0] and "'case'" in said[1]
    shell(house, "python", "-m", "pipeline", "backup")
    for lost in ("var", "artifacts", ".dvc/cache", ".dvc/tmp"):
        shutil.rmtree(house / lost)
    (house / "dvc.lock").unlink()
    shell(house, "python", "-m", "pipeline", "restore")
    assert contents(house / "artifacts") == made
    assert " 0 new blocks" in shell(house, "python", "-m", "pipeline", "backup")
    night = shell(house, "python", "-m", "dvc", "repro", UNTIL=UNTIL)
    assert night.count("didn't change, skipping") == len(stages.NAMES) - 2
    assert contents(house / "artifacts") == made
    assert what_people_said(house) == said


def what_people_said(house: Path) -> list[str]:
    told = shell(house, "python", "-c", SAID).splitlines()
    return [line for line in told if line.startswith(("said ", "views "))]


LONG = bool(os.environ.get("LONG"))
OUTAGE = 90.0 if LONG else 15.0
# Many steps on little: to be killed in the midst of, and to end soon after.
PATIENT = {
    "heads": ["linear"],
    "weight_decays": [0.1],
    "rates": [0.001],
    "seeds": 1,
    "epochs": 60000 if LONG else 12000,  # a minute of work on a quiet machine, or five
    "patience": 100000,
}


@pytest.fixture
def house(twins: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The second of them, up, with a training that takes its time."""
    house = twins[1]
    values = yaml.safe_load((house / "params.yaml").read_text())
    values["train"] |= PATIENT
    values["train"]["trainer"]["keep_every"] = 1.0
    (house / "params.yaml").write_text(yaml.safe_dump(values))
    for name in DROPPED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RETRAIN_HOME", str(house))
    monkeypatch.setenv("PYTHONPATH", str(house))
    monkeypatch.setenv("AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT", "150")
    services.up(["mongo", "airflow"])
    yield house
    services.down()


def test_a_night_survives_an_api_server_and_a_worker_that_are_killed(house: Path) -> None:
    api = airflow.api()
    run = api.trigger(airflow.DAG, "killed", {"until": UNTIL})
    eventually(lambda: says(api, run, 1, "train: epoch"))
    record = records.running(airflow.API)
    assert record
    os.kill(record.pid, signal.SIGKILL)
    time.sleep(OUTAGE)
    services.up(["airflow"])
    train = airflow.api().tasks(airflow.DAG, run)["train"]
    assert (train.state, train.tries) == ("running", 1)
    eventually(lambda: any((house / "var/checkpoints").glob("*.ckpt")))
    for worker in workers(house):
        worker.kill()
    done = {task.name: task for task in airflow.api().follow(airflow.DAG, run)}
    assert airflow.api().state(airflow.DAG, run) == "success"
    assert done["train"].tries == 2
    assert says(airflow.api(), run, 2, "train: goes on after epoch")
    assert {task.state for task in done.values()} <= {"success", "skipped"}


def says(api: Api, run: str, tries: int, words: str) -> bool:
    if api.tasks(airflow.DAG, run)["train"].state in ("none", "scheduled", "queued"):
        return False
    return any(line.startswith(words) for line in api.log(airflow.DAG, run, "train", tries))


def eventually(true: Callable[[], bool], seconds: float = 900) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.3)


def workers(house: Path) -> list[psutil.Process]:
    """The process of the task that runs now; in a long test also the one that looks after it."""
    for process in psutil.process_iter():
        try:
            ours, _, owner = process.environ().get("RETRAIN_OWNER", "").rpartition(":")
        except psutil.Error:
            continue
        if ours == str(house):
            task = psutil.Process(int(owner))
            return [parent for parent in [task.parent()] if LONG and parent] + [task]
    raise AssertionError("no task runs")


def left_over(house: Path) -> list[str]:
    """Processes that still stand in the house."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(house) or str(house) in " ".join(process.cmdline()):
                found.append(" ".join(process.cmdline()))
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found
