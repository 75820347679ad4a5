"""What the watch says of age and of what people labelled, and how often."""

import re
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from inference_runtime import bundle
from inference_runtime.preprocess import Preprocess
from pipeline import ageing, hub, params, rollout, samples
from pipeline.hub.folder import Folder
from pipeline.params import Params
from pipeline.rollout import health, story

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 21, tzinfo=UTC)
COUNTED = {"hits": 960, "misses": 40, "rejections": 960, "alarms": 40}
VERDICT = {"value": "PASS", "scores": {"challenger": {"confusion": COUNTED}}}


@pytest.fixture
def numbers() -> Params:
    return params.load(ROOT / "params.yaml")


@pytest.fixture
def shelf(home: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    (home / "dvc.yaml").touch()
    monkeypatch.delenv("RUNTIME_URL", raising=False)
    return Folder(home / "var/hub")


def released(shelf: Folder, name: str, days: float) -> hub.Release:
    folder = shelf.root.parent / name
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(name.encode())
    engine = {"onnx": {"file": "model.onnx", "precision": "fp32", "opset": 20}}
    sealed = bundle.seal(
        folder,
        classes=("clear", "roadwork"),
        preprocess=Preprocess(8, 8),
        engines=engine,
        calibration={},
        lineage={},
        holdout=None,
    )
    champion = hub.reigning(shelf)
    at = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="seconds")
    beat = champion.bundle if champion else None
    wanted = hub.Release(hub.next_version(shelf.releases()), sealed.id, beat, at, {})
    return shelf.release(folder, wanted, dict(VERDICT))


@pytest.mark.parametrize(("days", "paid"), [(0, 1), (45, 1), (67.5, 0.5), (90, 0), (400, 0)])
def test_the_curve_is_whole_then_falls_evenly_to_nothing(numbers: Params, days: float, paid: float) -> None:
    assert ageing.paid(days, numbers.age) == pytest.approx(paid)


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (29, None),
        (31, "31 days old and paid 100% .*: train a newer one"),
        (60, "paid 67% .*: upload a newer"),
    ],
)
def test_a_stale_champion_is_called_so(numbers: Params, days: int, said: str | None) -> None:
    release = hub.Release("1.0.0", "b", None, (NOW - timedelta(days=days)).isoformat(), {})
    line = health.stale(release, numbers.age, NOW)
    assert re.search(said, line) if said and line else (said, line) == (None, None)


def test_it_is_said_once_a_day(shelf: Folder, numbers: Params, capsys: pytest.CaptureFixture[str]) -> None:
    released(shelf, "old", 50)
    for _ in range(3):
        rollout.watch(numbers)
    assert capsys.readouterr().err.count("ALERT: 1.0.0 is 50 days old and paid 89%") == 1
    health.once_a_day("age", "again", NOW + timedelta(days=400))
    assert "ALERT: again" in capsys.readouterr().err


def labelled(
    numbers: Params, champion: str, wrong_every: int, count: int, blind: bool = True
) -> pl.DataFrame:
    """Answers of the champion that people have labelled, every so manieth wrongly answered."""
    names = (f"{number:064x}" for number in range(10**6))
    aside = (name for name in names if (samples.share(name, "fresh") < numbers.fresh.share) is blind)
    rows: list[dict[str, Any]] = [
        {"image": name, "source": "challenge", "family": name, "bundle": champion, "p": 0.9}
        | {"label": int(i % wrong_every != 0), "labelled_at": NOW + timedelta(minutes=i)}
        for i, name in enumerate(islice(aside, count))
    ]
    return samples.frame(rows, samples.PULLED)


def test_audited_labels_of_a_fallen_champion_are_an_alarm(
    shelf: Folder, numbers: Params, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    champion = released(shelf, "only", 1)
    pull = home / "artifacts/pull"
    pull.mkdir(parents=True)
    samples.write(labelled(numbers, champion.bundle, wrong_every=6, count=300), pull)
    rollout.watch(numbers)
    said = capsys.readouterr().err
    assert "ALERT: 1.0.0: audited labels: 83.3% of 300 answers were right, the gate vouched for 95.0%" in said
    assert hub.reigning(shelf) is not None  # there is none before it
    assert story.told() == []


def test_what_was_labelled_because_it_was_hard_accuses_nobody(
    shelf: Folder, numbers: Params, home: Path
) -> None:
    champion = released(shelf, "only", 1)
    table = labelled(numbers, champion.bundle, wrong_every=2, count=300, blind=False)
    assert health.audited(table, champion.bundle, numbers.fresh) == []
    good = labelled(numbers, champion.bundle, wrong_every=40, count=300)
    samples.write(good, home)
    found = health.fallen(champion, shelf.place(champion.bundle), home, numbers.fresh, numbers.rollout)
    assert found is None
    assert health.audited(good, "another", numbers.fresh) == []
