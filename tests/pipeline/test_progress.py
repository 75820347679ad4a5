"""Whoever waits hears soon that something happens, and a long wait does not fill the log."""

import itertools

import pytest

from pipeline import progress
from pipeline.progress import Progress

Said = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def a_second_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock finds it a second later."""
    monkeypatch.setattr(progress.time, "monotonic", itertools.count().__next__)


def test_the_first_lines_come_every_second_and_all_is_told_once(capsys: Said) -> None:
    assert list(Progress(range(4), "pictures")) == [0, 1, 2, 3]
    assert capsys.readouterr().err.splitlines() == [
        "pictures: 1 of 4, 3 s left",
        "pictures: 2 of 4, 2 s left",
        "pictures: 3 of 4, 1 s left",
        "pictures: 4 of 4",
    ]


def test_an_hour_is_some_lines(capsys: Said) -> None:
    list(Progress(iter(range(3600)), "pictures"))
    lines = capsys.readouterr().err.splitlines()
    assert 100 < len(lines) < 200 and lines[-1] == "pictures: 3,600"


def test_what_is_quick_says_nothing(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress.time, "monotonic", lambda: 0.0)
    assert list(Progress(range(4), "pictures")) == [0, 1, 2, 3]
    assert capsys.readouterr().err == ""
