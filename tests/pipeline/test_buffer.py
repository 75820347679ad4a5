"""Hard cases that wait: counted from the journal, each once, and told once."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
import yaml

from pipeline import params
from pipeline.chores import buffer
from pipeline.pull.journal import PREDICTIONS

ROOT = Path(__file__).resolve().parents[2]
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def line(image: str, p: float, at: datetime, role: str = "serve") -> bytes:
    import zlib

    told = {"id": f"{image}-{at:%H%M}-{role}", "at": at.isoformat(), "image": image, "p": p, "bundle": "b"}
    body = json.dumps({**told, "width": 1, "height": 1, "ms": 1.0, "role": role}).encode()
    return b"%08x " % zlib.crc32(body) + body + b"\n"


def segment(home: Path, at: datetime, *lines: bytes) -> None:
    folder = home / "var/journal/segments"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{at:%Y%m%dT%H%M%SZ}-00000000.log").write_bytes(b"".join(lines))


def counted(home: Path, monkeypatch: pytest.MonkeyPatch, cases: int = 2) -> dict[str, object]:
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["buffer"] = {"margin": 0.15, "cases": cases}
    monkeypatch.setenv("TOLD", str(home / "told.json"))
    buffer.run(params.parse(values))
    return dict(json.loads((home / "told.json").read_text()))


def seen_until(home: Path, at: datetime) -> None:
    folder = home / "artifacts/pull"
    folder.mkdir(parents=True)
    row = dict.fromkeys(PREDICTIONS) | {"at": at}
    pl.DataFrame([row], schema=PREDICTIONS).write_parquet(folder / "predictions.parquet")


def test_a_case_is_near_the_fence_answered_and_counted_once(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hour = timedelta(hours=1)
    segment(
        home,
        NOON,
        line("a", 0.5, NOON),
        line("a", 0.5, NOON + hour),
        line("b", 0.9, NOON),
        line("c", 0.6, NOON, role="shadow"),
        b"broken\n",
    )
    assert counted(home, monkeypatch) == {"full": False, "cases": 1}


def test_what_a_night_has_seen_does_not_wait(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segment(home, NOON, line("a", 0.5, NOON), line("b", 0.5, NOON + timedelta(minutes=2)))
    segment(home, NOON - timedelta(days=3), line("old", 0.5, NOON + timedelta(minutes=3)))  # never so late
    seen_until(home, NOON)
    assert counted(home, monkeypatch) == {"full": False, "cases": 1}


def test_enough_is_told_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segment(home, NOON, line("a", 0.5, NOON), line("b", 0.5, NOON))
    assert counted(home, monkeypatch) == {"full": True, "cases": 2}
    assert counted(home, monkeypatch) == {"full": False, "cases": 0}
    later = NOON + timedelta(hours=2)
    segment(home, later, line("a", 0.5, later), line("c", 0.4, later), line("d", 0.6, later))
    assert counted(home, monkeypatch) == {"full": True, "cases": 3}


def test_not_enough_is_counted_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segment(home, NOON, line("a", 0.5, NOON))
    for _ in range(2):
        assert counted(home, monkeypatch) == {"full": False, "cases": 1}
