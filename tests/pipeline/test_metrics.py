"""The pipeline's metrics, read back by Prometheus' own parser, and the look that some of them come from."""

import json
import shutil
import signal
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from prometheus_client.parser import text_string_to_metric_families

from inference_runtime.journal import Journal
from inference_runtime.predictor import Answer
from pipeline import lines, params, samples
from pipeline.metrics import exporter
from pipeline.metrics.house import Remembered
from pipeline.params import Params
from pipeline.watching import answers, drift, look, seen
from pipeline.watching.seen import Chain, Seen

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
FINE = Seen(
    at="2026-11-20T12:00:00Z",
    runtime_up=True,
    silent_seconds=60.0,
    answers=500,
    drift=0.01,
    positives=0.5,
    positives_before=0.48,
    disk_free=10**12,
    chain=None,
    night_ended=None,
    night_usd=0.1,
)


@pytest.fixture
def house(home: Path) -> Path:
    shutil.copy(ROOT / "params.yaml", home)
    (home / "dvc.yaml").touch()
    return home


def told(given: Params) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels, in the order of the alphabet."""
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(exporter.text(given))
        for sample in family.samples
    }


def book(stage: str, n: int, **more: Any) -> None:
    entry = {"id": f"{n}", "stage": stage, "night": "a", "began": f"2026-11-20T02:{n:02}:00Z"}
    lines.append(Path("var/runs.jsonl"), entry | {"outcome": "ok", "seconds": 2.0, "came": {}} | more)


def release(days: float) -> None:
    """A champion of so many days in the folder hub."""
    at = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    entry = {"version": "1.4.0", "bundle": "b" * 16, "beat": None, "at": at, "card": {}}
    file = Path("var/hub/releases/00000-1.4.0.json")
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(entry))


def test_an_empty_house_tells_that_nothing_was_done(house: Path) -> None:
    found = told(params.load())
    assert found["pipeline_source_up", "hub"] == found["pipeline_source_up", "runs"] == 1
    assert found["pipeline_releases",] == 0
    assert ("pipeline_champion_age_days",) not in found and ("pipeline_drift",) not in found
    assert found["pipeline_limit", "age_retrain_by_days"] == params.load().age.retrain_by


def test_the_books_are_told_by_stage(house: Path) -> None:
    book("pull", 1, outcome="failed")
    book("pull", 2, cpu_seconds=90.0, bytes=4096)
    book("mine", 3, came={"waiting": 12, "margin": 9, "said": "words"})
    book("gate", 4, came={"verdict": "PASS"})
    book("gate", 5, came={"verdict": "INCONCLUSIVE"})
    book("train", 6, outcome="failed")
    book("synthesize", 7, painters_usd=0.5)
    book("rollout", 8)
    found = told(params.load())
    assert found["pipeline_stage_failed", "pull"] == 0 and found["pipeline_stage_failed", "train"] == 1
    assert found["pipeline_stage_runs_total", "failed", "pull"] == 1
    assert found["pipeline_stage_bytes", "pull"] == 4096 and found["pipeline_stage_cpu_seconds", "pull"] == 90
    assert found["pipeline_labels_pending",] == found["pipeline_figure", "mine", "waiting"] == 12
    assert ("pipeline_figure", "mine", "said") not in found
    assert found["pipeline_verdict_streak",] == 1 and found["pipeline_verdicts_total", "PASS"] == 1
    assert found["pipeline_stage_usd_total", "painters", "synthesize"] == 0.5
    assert found["pipeline_night_usd",] == pytest.approx(0.5 + 90 / 3600 * params.load().prices.cpu_hour)
    ended = datetime(2026, 11, 20, 2, 8, 2, tzinfo=UTC).timestamp()
    assert found["pipeline_night_last_success_timestamp_seconds",] == ended
    assert ("pipeline_stage_last_success_timestamp_seconds", "train") not in found


def test_the_champions_age_is_told_with_what_it_still_earns(house: Path) -> None:
    release(days=67.5)
    found = told(params.load())
    assert found["pipeline_champion_age_days",] == pytest.approx(67.5, abs=0.01)
    assert found["pipeline_champion_paid",] == pytest.approx(0.5, abs=0.01)
    assert found["pipeline_champion_info", "1.4.0", "b" * 16] == 1
    assert found["pipeline_stored_bytes", "hub"] > 50


def test_a_broken_source_is_a_state_and_silences_no_other(house: Path) -> None:
    release(days=1)
    (house / "var" / "watch.json").write_text("{")
    found = told(params.load())
    assert found["pipeline_source_up", "watch"] == 0
    assert found["pipeline_source_up", "hub"] == 1 and found["pipeline_releases",] == 1


def test_the_exporter_answers_and_ends_when_told(house: Path) -> None:
    command = [sys.executable, "-m", "pipeline", "metrics", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr
        url = child.stderr.readline().split()[-1]
        with urllib.request.urlopen(url, timeout=20) as answer:
            assert b"pipeline_releases 0.0" in answer.read()
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=20) == 0


def test_the_exporter_loads_no_model_and_no_table(house: Path) -> None:
    code = (
        "import sys; from pipeline import params; from pipeline.metrics import exporter\n"
        "exporter.text(params.load()); print(*sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not set(said.split()) & {"torch", "polars", "scipy", "onnxruntime", "transformers", "fiftyone"}


def test_what_was_asked_for_is_kept_for_a_while() -> None:
    asked: list[int] = []
    kept = Remembered(lambda: asked.append(1) or len(asked), 60)
    assert (kept(), kept()) == (1, 1)
    eager = Remembered(lambda: asked.append(1) or len(asked), 0)
    assert (eager(), eager()) == (2, 3)


def test_the_same_answers_have_not_drifted_and_others_have() -> None:
    calm = [n / 500 for n in range(500)]
    assert drift.between(calm, calm[::-1], 200).psi == pytest.approx(0)
    assert drift.between(calm, [p / 2 for p in calm], 200).psi > 0.25  # type: ignore[operator]
    few = drift.between(calm[:199], calm, 200)
    assert few.psi is None and few.positives == 0.0
    assert drift.between([], [], 1) == drift.Drift(None, 0, 0, None, None)


def test_lately_is_the_journal_and_what_was_brought_home_without_shadows(house: Path) -> None:
    journal = Journal(house / "journal")
    for p, role in ((0.9, "serve"), (0.1, "shadow")):
        answer = Answer(p=p, logit=0.0, image="a" * 64, bundle="new", width=8, height=8)
        journal.submit(answer, b"", 1.0, "r", role).result()
    journal.close()
    now = datetime.now(UTC)
    rows = [
        {"at": now - timedelta(days=n), "p": p, "bundle": bundle, "role": role}
        for n, p, bundle, role in (
            (2, 0.2, "new", "serve"),
            (3, 0.3, "old", "serve"),
            (4, 0.4, "new", "shadow"),
            (20, 0.5, "new", "serve"),
        )
    ]
    (house / "pull").mkdir()
    samples.keep(pl.DataFrame(rows), house / "pull" / "predictions.parquet")
    lately = answers.lately("journal", house / "pull", now)
    assert [one.p for one in lately] == [0.3, 0.2, 0.9]
    assert answers.parted(lately, now) == ([0.9], [0.2])
    assert answers.lately("s3://bucket/journal", house / "nowhere", now) == []
    assert answers.parted([], now) == ([], [])


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({"runtime_up": False}, "runtime"),
        ({"silent_seconds": 90_000.0}, "silent"),
        ({"drift": 0.3}, "drift"),
        ({"disk_free": 10**9}, "disk"),
        ({"night_ended": 1.0}, "night"),
        ({"chain": Chain(60.0, True, False, 1.0)}, "chain"),
        ({"night_usd": 50.0}, "cost"),
    ],
)
def test_what_is_not_as_it_should_be_is_said(changed: dict[str, Any], kind: str) -> None:
    given = params.load(ROOT / "params.yaml")
    assert list(look.complaints(FINE, given)) == []
    found = Seen(**vars(FINE) | changed)
    ((said, line),) = look.complaints(found, given)
    assert said == kind and len(line) > 20


def test_nobody_is_silent_where_no_runtime_is() -> None:
    found = Seen(**vars(FINE) | {"runtime_up": None, "silent_seconds": 1e9})
    assert not list(look.complaints(found, params.load(ROOT / "params.yaml")))


def test_a_look_is_written_down_said_once_and_told_to_prometheus(
    house: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RUNTIME_URL", "http://127.0.0.1:9")
    lines.append(
        Path("var/runs.jsonl"), {"id": "1", "stage": "pull", "night": "a", "began": "2026-11-20T02:00:00Z"}
    )
    standing = {"at": 0.0, "up": False, "uid": None, "burn": None}
    (house / "var" / "chain.json").write_text(json.dumps(standing))
    found = look.take(params.load())
    look.take(params.load())
    assert (found.runtime_up, found.answers, found.chain and found.chain.up) == (False, 0, False)
    assert seen.read() == Seen(**vars(seen.read()))  # type: ignore[arg-type]
    said = capsys.readouterr().err
    assert said.count("ALERT: the runtime does not answer") == 1 and "chain absent" in said
    told_now = told(params.load())
    assert told_now["pipeline_watch_runtime_up",] == told_now["pipeline_watch_chain_up",] == 0
