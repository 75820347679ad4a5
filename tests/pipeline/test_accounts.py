"""What a run took is booked whatever its end, and reckoned with the price table."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from inference_runtime.errors import Fixable
from pipeline.__main__ import main
from pipeline.accounts import costs, nights, runs, table
from pipeline.accounts.runs import Run
from pipeline.params import Prices

PRICES = Prices(cpu_hour=0.36, gpu_hour=3.6, gb_month=0.02)

Booked = Callable[..., list[Run]]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RUNS", str(tmp_path / "runs.jsonl"))
    monkeypatch.setenv("PAINTINGS", str(tmp_path / "paintings.sqlite"))
    monkeypatch.setenv("UNTIL", "2026-11-20T02:00:00Z")
    return tmp_path / "runs.jsonl"


def work_for(seconds: float) -> None:
    """Spend that long by the clock and by the processor, which a library's threads can run ahead."""
    began, worked = time.monotonic(), time.process_time()
    while min(time.monotonic() - began, time.process_time() - worked) < seconds:
        pass


def test_a_good_run_is_booked_with_what_it_made(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    out.mkdir()
    with runs.booked("mine", out):
        work_for(0.05)
        (out / "summary.json").write_text('{"waiting": 7}')
    (run,) = runs.all_of(place)
    assert (run.stage, run.outcome, run.night) == ("mine", runs.OK, "2026-11-20T02:00:00Z")
    assert run.came == {"waiting": 7} and run.bytes == 14
    assert run.cpu_seconds >= 0.05 and 0.05 <= run.seconds < 60
    assert run.peak_bytes > 1e6


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(Fixable("a key"), runs.REFUSED), (ValueError(), runs.FAILED), (KeyboardInterrupt(), runs.FAILED)],
)
def test_an_error_is_booked_and_goes_on(
    place: Path, tmp_path: Path, error: BaseException, outcome: str
) -> None:
    (tmp_path / "summary.json").write_text('{"of": "the run before"}')
    with pytest.raises(type(error)), runs.booked("mine", tmp_path):
        raise error
    (run,) = runs.all_of(place)
    assert (run.outcome, run.came, run.bytes) == (outcome, {}, 0)


def test_a_killed_run_stays_unfinished_and_the_books_readable(place: Path) -> None:
    code = (
        "import time; from pathlib import Path; from pipeline.accounts import runs\n"
        "with runs.booked('train', Path('.')):\n    print('on', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env=dict(os.environ)
    ) as child:
        assert child.stdout and child.stdout.readline() == b"on\n"
        child.send_signal(signal.SIGKILL)
    with place.open("ab") as file:
        file.write(b'\n{"id": "cut')
    with runs.booked("train", Path("nowhere")):
        pass
    assert [run.outcome for run in runs.all_of(place)] == [runs.UNFINISHED, runs.OK]


def test_painters_money_is_what_was_paid_during_the_run(place: Path, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "paintings.sqlite") as books:
        books.execute("CREATE TABLE asked (usd REAL)")
        books.execute("INSERT INTO asked VALUES (5.0)")
        books.commit()
        with runs.booked("synthesize", tmp_path):
            books.execute("INSERT INTO asked VALUES (0.25)")
            books.commit()
    (run,) = runs.all_of(place)
    assert run.painters_usd == pytest.approx(0.25)


def test_a_full_disk_fails_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("RUNS", str(tmp_path / "file" / "runs.jsonl"))
    with runs.booked("mine", tmp_path):
        pass


def a_run(stage: str, night: str, n: int = 0, **more: object) -> Run:
    return Run(
        f"{stage}{night}{n}", stage, night, f"2026-11-{20 + n:02}T02:00:00Z", **({"outcome": "ok"} | more)
    )  # type: ignore[arg-type]


def test_cost_is_time_by_price_and_what_painters_took() -> None:
    cost = costs.of(a_run("train", "a", cpu_seconds=100, gpu_seconds=10, painters_usd=0.5), PRICES)
    assert (cost.cpu, cost.gpu, cost.painters) == pytest.approx((0.01, 0.01, 0.5))
    assert cost.usd == pytest.approx(0.52)
    assert costs.storage(10**12, PRICES) == pytest.approx(20)


def test_nights_are_told_apart_and_a_night_run_again_is_the_last() -> None:
    booked = [a_run("pull", "first"), a_run("pull", "second", 1), a_run("mine", "first", 2, cpu_seconds=100)]
    assert list(costs.nights(booked)) == ["second", "first"]
    assert {run.stage for run in costs.latest(booked)} == {"pull", "mine"}
    assert costs.latest([]) == []
    head, second, first = table.nights(booked, PRICES, 5)
    assert head.split()[0] == "night" and second.split()[0] == "second" and first.endswith("0.0100")
    assert list(table.nights(booked, PRICES, 1))[1].startswith("first")


def test_the_table_of_a_night_says_tries_and_the_sum() -> None:
    booked = [
        a_run("pull", "a", outcome="failed"),
        a_run("pull", "a", 1, cpu_seconds=50),
        a_run("mine", "a", outcome="refused"),
    ]
    _, pull, mine, whole = table.stages(booked, PRICES)
    assert pull.endswith("0.0050  ok at try 2") and mine.endswith("refused")
    assert whole.startswith("the night") and whole.endswith("0.0050")
    assert table.brief(booked, PRICES) == "cost 0.0050 USD (CPU 0.0050)"
    assert table.brief([], PRICES) == "cost 0.0000 USD (nothing was run)"


def test_the_streak_counts_contests_since_the_last_promotion() -> None:
    assert [nights.streak(given) for given in ([], ["PASS"], ["FAIL"], ["PASS", "FAIL", "INCONCLUSIVE"])] == [
        0,
        0,
        1,
        2,
    ]
    booked = [
        a_run("rollout", "a"),
        a_run("rollout", "b", 3, seconds=5.0),
        a_run("rollout", "c", 6, outcome="failed"),
    ]
    assert nights.ended(booked) == booked[1].ended
    assert nights.ended([]) is None


def test_the_command_line_books_a_stage_and_tells_its_cost(
    home: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Path(__file__).parents[2]
    (home / "params.yaml").write_text((root / "params.yaml").read_text())
    (home / "dvc.yaml").write_text((root / "dvc.yaml").read_text())
    assert main(["mine"]) == 1  # nothing was pulled
    (run,) = runs.all_of(place)
    assert (run.stage, run.outcome) == ("mine", runs.REFUSED)
    capsys.readouterr()
    said = (home / "var" / "night_cost.js").read_text()
    assert re.fullmatch(r'document.getElementById\("cost"\).textContent = "cost \d.*";\n', said)
    assert main(["cost"]) == 0 and "2026-11-20T02:00:00Z" in capsys.readouterr().out
    assert main(["cost", "--night", "last"]) == 0 and "refused" in capsys.readouterr().out
    assert main(["cost", "--night", "never"]) == 1 and "no such night" in capsys.readouterr().err
