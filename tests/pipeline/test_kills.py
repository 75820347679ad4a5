"""A stage killed at any moment and run again gives what an undisturbed run gives."""

import hashlib
import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import stages

sys.path.insert(0, str(Path(__file__).parent))
from forks import Forks

ROOT = Path(__file__).parents[2]
IMPORTED = (
    *("cv2", "matplotlib.pyplot", "onnx", "onnxruntime", "onnxscript", "polars", "pytorch_lightning"),
    *("scipy.stats", "torch", "transformers", "pipeline.simulation"),
)
KILLS = 2  # moments per stage, drawn anew on every run of the test

SMALL: dict[str, dict[str, Any]] = {
    "world": {"base": 24, "gold": 24, "first": 16},
    "mine": {"cases": 12, "mistakes": 6},
    "synthesize": {"images": 6},
    "gate": {"parity_views": 8, "bootstrap": 50, "floor": 0.0},
    "people": {"dataset": None},
}

PREPARE = """
from pathlib import Path
import json
from inference_runtime import bundle
from inference_runtime.journal import Journal
from inference_runtime.predictor import Predictor
from pipeline import params, samples, simulation, stages
from pipeline.world import people, validators
numbers = params.load()
simulation.seed(numbers)
predictor = Predictor(bundle.load(next(Path("var/hub/bundles").iterdir())))
journal = Journal(Path("var/journal"))
with simulation.TRUTH.open("w") as ledger:
    for number in range(40):
        one = validators.nth(numbers.world.seed, number)
        said = predictor.predict([one.data])[0]
        journal.append(said, one.data, 0.0)
        truth = {"image": said.image, "label": one.label, "seen": one.seen, "tags": one.tags}
        print(json.dumps(truth), file=ledger)
journal.close()
for stage in ("pull", "mine"):
    stages.run(stage, numbers, Path("artifacts"))
cases = samples.read(Path("artifacts/mine"))["image"].to_list()
Path("var/labels").mkdir()
with Path("var/labels/ann.csv").open("w") as labels:
    print("image,label,labeler,at", file=labels)
    for image, said in people.answers(cases, simulation.TRUTH).items():
        print(f"{image},{said.label},ann,2026-01-01", file=labels)
"""
STAGE = """
from pathlib import Path
from pipeline import params, stages
stages.run({!r}, params.load(), Path("artifacts"))
"""

pytestmark = [pytest.mark.slow]


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    started = Forks(*IMPORTED, *(f"pipeline.{stage}" for stage in stages.NAMES))
    yield started
    started.stop()


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory, dinov3: Path, forks: Forks) -> Path:
    """A small house after one undisturbed night; `before` is how it stood: a first champion, some labels."""
    house = tmp_path_factory.mktemp("house")
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["backbone"] |= {"name": str(dinov3), "width": 32, "height": 32}
    for section, changes in SMALL.items():
        values[section] |= changes
    (house / "params.yaml").write_text(yaml.safe_dump(values))
    forks.run(house, PREPARE)
    shutil.rmtree(house / "artifacts")
    shutil.copytree(house / "var", house / "before" / "var")
    for stage in stages.NAMES:
        forks.run(house, STAGE.format(stage))
    return house


def house_before(stage: str, night: Path, folder: Path) -> Path:
    """A copy of the house as it stood before the stage ran for the first time."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(night / "before" / "var", folder / "var")
    shutil.copy(night / "params.yaml", folder)
    if stages.NAMES.index(stage) > stages.NAMES.index("synthesize"):  # whose pictures lie beside the tables
        shutil.copytree(night / "var" / "images", folder / "var" / "images", dirs_exist_ok=True)
    for done in stages.NAMES[: stages.NAMES.index(stage)]:
        shutil.copytree(night / "artifacts" / done, folder / "artifacts" / done)
    return folder


def contents(folder: Path) -> dict[str, str]:
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.mark.parametrize("stage", stages.NAMES)
def test_killed_and_run_again(stage: str, night: Path, forks: Forks, tmp_path: Path) -> None:
    undisturbed = contents(night / "artifacts" / stage)
    house = house_before(stage, night, tmp_path / "again")
    whole = forks.run(house, STAGE.format(stage))
    made = house / "artifacts" / stage
    assert contents(made) == undisturbed
    for _ in range(KILLS):
        house_before(stage, night, house)
        moment = random.uniform(0, whole)
        forks.run(house, STAGE.format(stage), kill_after=moment)
        assert not made.exists() or contents(made) == undisturbed, f"half a result after {moment:.3f} s"
        forks.run(house, STAGE.format(stage))
        assert contents(made) == undisturbed, f"another result, killed after {moment:.3f} s of {whole:.3f} s"
        assert len(list((house / "var/hub/releases").iterdir())) == releases(night, stage)


def releases(night: Path, stage: str) -> int:
    after = night if stage == "publish" else night / "before"
    return len(list((after / "var/hub/releases").iterdir()))
