"""Weights & Biases: the numbers of a stage, offline unless there is a key; never a hard dependency."""

import json
from pathlib import Path

import pytest

from inference_runtime.errors import Fixable
from pipeline import experiments


@pytest.fixture
def mined(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    (home / "artifacts/mine").mkdir(parents=True)
    (home / "artifacts/mine/summary.json").write_text(json.dumps({"waiting": 40, "margin": 30}))
    return home / "artifacts"


def test_without_a_project_nothing_is_asked(mined: Path) -> None:
    with experiments.told(None, mined / "mine"):
        pass
    assert not experiments.FOLDER.exists()


def test_the_miners_numbers_go_there_or_its_absence_is_one_line(mined: Path) -> None:
    try:
        import wandb  # noqa: F401
    except ModuleNotFoundError:
        with (
            pytest.raises(Fixable, match="uv sync --inexact --extra wandb"),
            experiments.told("roadwork", mined / "mine"),
        ):
            raise AssertionError("told after the work") from None
        return
    with experiments.told("roadwork", mined / "mine"):
        pass
    [kept] = experiments.FOLDER.glob("wandb/offline-run-*/*.wandb")
    assert b"mine/waiting" in kept.read_bytes()


@pytest.mark.parametrize(
    ("mode", "key", "offline"),
    [(None, None, True), (None, "key", False), ("offline", "key", True), ("online", None, False)],
)
def test_online_with_a_key_or_when_told_so(
    monkeypatch: pytest.MonkeyPatch, mode: str | None, key: str | None, offline: bool
) -> None:
    for name, value in (("WANDB_MODE", mode), ("WANDB_API_KEY", key)):
        monkeypatch.delenv(name, raising=False)
        if value:
            monkeypatch.setenv(name, value)
    assert experiments.offline() is offline
