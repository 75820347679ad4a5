"""Two at once, and a change in the middle of a run."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from inference_runtime import bundle
from inference_runtime.preprocess import Preprocess
from pipeline import ageing, hub, params
from pipeline.params import Hub
from pipeline.world import base

ROOT = Path(__file__).parents[3]
HUB = Hub(kind="folder", repo="var/hub")


def start(folder: Path, *words: str, code: Path = ROOT) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(code)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def params_with(folder: Path, **changes: dict[str, Any]) -> None:
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    for section, words in changes.items():
        values[section] |= words
    (folder / "params.yaml").write_text(yaml.safe_dump(values))


def sealed(folder: Path, weights: bytes = b"weights") -> str:
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(weights)
    made = bundle.seal(
        folder,
        classes=("clear", "roadwork"),
        preprocess=Preprocess(224, 224),
        engines={"onnx": {"file": "model.onnx", "precision": "fp32", "opset": 20}},
        calibration={},
        lineage={},
        holdout=None,
    )
    return made.id


def judged(artifacts: Path) -> str:
    challenger = sealed(artifacts / "export")
    for stage in ("gate", "assemble"):
        (artifacts / stage).mkdir()
    verdict = {"value": "PASS", "reasons": ["because"], "challenger": challenger, "champion": None}
    (artifacts / "gate" / "verdict.json").write_text(json.dumps(verdict))
    return challenger


def test_two_publishes_of_one_challenger_at_once_are_one_release(home: Path) -> None:
    params_with(home)
    challenger = judged(home / "one")
    shutil.copytree(home / "one", home / "other")
    both = [start(home, "publish", "--artifacts", name) for name in ("one", "other")]
    said = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    one, other = ((home / name / "publish" / "receipt.json").read_text() for name in ("one", "other"))
    assert one == other
    assert [release.bundle for release in hub.at(HUB).releases()] == [challenger]


def test_reigns_are_in_the_order_of_their_numbers_whatever_the_clock_said(home: Path) -> None:
    shelf, before = hub.at(HUB), None
    for day in ("2026-11-20", "2020-01-01"):  # the clock was set back in between
        challenger = sealed(home / day, day.encode())
        moment = f"{day}T00:00:00+00:00"
        wanted = hub.Release(hub.next_version(shelf.releases()), challenger, before, moment, {})
        shelf.release(home / day, wanted, {})
        before = challenger
    reigning = hub.reigning(shelf)
    assert reigning and (reigning.bundle, reigning.version) == (before, "1.1.0")
    age = params.load(ROOT / "params.yaml").age
    assert ageing.paid(ageing.days(reigning.at, datetime(2019, 1, 1, tzinfo=UTC)), age) == 1.0


@pytest.fixture
def checkout(home: Path) -> Path:
    """Code of its own, which may be changed, and a stage that waits for its labels."""
    for package in ("pipeline", "inference_runtime"):
        shutil.copytree(ROOT / package, home / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "dvc.yaml", home)
    params_with(home, people={"dataset": None, "labels": "labels"})
    base.write_base(home / "var/world/base", 4, 1)
    base.write_base(home / "var/world/gold", 4, 2)
    for folder in ("labels", "var/journal"):
        (home / folder).mkdir()
    os.mkfifo(home / "labels/ann.csv")
    return home


def touched(checkout: Path) -> None:
    with (checkout / "pipeline/samples.py").open("a") as file:
        file.write("# changed\n")


def tuned(checkout: Path) -> None:
    values = yaml.safe_load((checkout / "params.yaml").read_text())
    values["pull"]["max_broken"] = 0.06
    (checkout / "params.yaml").write_text(yaml.safe_dump(values))


@pytest.mark.parametrize(
    ("change", "named"),
    [(touched, "pipeline/samples.py"), (tuned, "params.yaml: pull")],
    ids=["code", "params"],
)
def test_what_was_made_by_two_codes_does_not_count(
    checkout: Path, change: Callable[[Path], None], named: str
) -> None:
    process = start(checkout, "pull", code=checkout)
    with (checkout / "labels/ann.csv").open("w") as labels:  # from here on the stage is on its way
        change(checkout)
        labels.write("image,label,labeler,at\n")
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 1
    assert f"{named}: changed while the stage ran; run it again" in said
    again = start(checkout, "pull", code=checkout)
    (checkout / "labels/ann.csv").write_text("image,label,labeler,at\n")
    assert again.wait(60) == 0, again.communicate()[0]
