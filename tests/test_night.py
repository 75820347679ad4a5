"""A whole small night: by DVC alone and through Airflow the same bytes, and nothing done twice."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import yaml

from pipeline import stages

ROOT = Path(__file__).parent.parent
UNTIL = "2100-01-01T00:00:00Z"
SMALL = {
    "world": {"base": 40, "gold": 30, "first": 40},
    "mine": {"cases": 12, "mistakes": 6},
    "synthesize": {"images": 4},
    "gate": {"parity_views": 8, "bootstrap": 50, "floor": 0.0},
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

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("night")]


def shell(folder: Path, *command: str, **environment: str) -> str:
    dropped = ("IMAGES", "FEATURES", "RETRAIN_HOME", "AIRFLOW_HOME", "FIFTYONE_DATABASE_URI")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
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
