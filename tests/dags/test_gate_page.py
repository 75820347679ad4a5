"""The page, the card and the tab as the server draws them, and who may see them."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "plugins"))

pytest.importorskip("airflow", reason="needs the airflow extra: `make setup`")
from starlette.testclient import TestClient  # noqa: E402

IMAGE = "ab" * 32
NOW = datetime.now(UTC)

PARSE = """
import json, sys
import airflow.sdk, airflow.sdk.plugins_manager
before = set(sys.modules)
sys.path.insert(0, sys.argv[1])
import gate_plugin
apps = [(app["name"], app["destination"]) for app in gate_plugin.GatePlugin.react_apps]
print(json.dumps({"new": sorted(set(sys.modules) - before), "apps": apps}))
"""


def test_what_every_process_of_airflow_imports_is_one_small_file(tmp_path: Path) -> None:
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path)}
    said = subprocess.check_output(
        [sys.executable, "-c", PARSE, str(REPOSITORY / "plugins")], env=environment, text=True
    )
    found = json.loads(said.splitlines()[-1])
    assert found["new"] == ["gate_plugin"]
    assert found["apps"] == [["Gate", "nav"], ["Gate", "dag_run"], ["Champion", "dashboard"]]


def test_nobody_sees_anything_without_login() -> None:
    from gate_page.application import application

    app = application()
    client = TestClient(app)
    paths = [route.path for route in app.routes]
    assert {
        "/page",
        "/card",
        "/run",
        "/gate.js",
        "/images/{image}",
        "/reports/{name}",
        "/night_cost.js",
    } == set(paths)
    for path in paths:
        answer = client.get(path.format(image=IMAGE, name="gate"), params={"dag": "retrain_72", "run": "x"})
        assert answer.status_code == 401, path


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RETRAIN_HOME", str(tmp_path))
    monkeypatch.delenv("IMAGES", raising=False)
    monkeypatch.delenv("FIFTYONE_APP_URL", raising=False)
    (tmp_path / "params.yaml").write_bytes((REPOSITORY / "params.yaml").read_bytes())
    return tmp_path


@pytest.fixture
def lived_in(house: Path) -> Path:
    """After some nights."""
    say(house / "artifacts/gate/verdict.json", verdict())
    (house / "artifacts/gate/report.html").write_text("<h1>report</h1>")
    say(house / "var/champions.json", champions())
    say(house / "var/services/app.json", {"url": "http://127.0.0.1:5151"})
    (house / "artifacts/mine").mkdir()
    cases = {
        "image": [IMAGE, "cd" * 32, "ef" * 32],
        "reason": ["margin", "random", "mistake"],
        "score": [0.9, 0.95, None],
        "p": [0.55, 0.5, 0.9],
        "label": [None, None, 1],
    }
    pl.DataFrame(cases).write_parquet(house / "artifacts/mine/samples.parquet")
    return house


def say(file: Path, told: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(told))


def verdict() -> dict[str, Any]:
    reasons = ["better than the champion", "<script>alert(1)</script>"]
    return {"value": "PASS", "reasons": reasons, "changes": [], "challenger": "c" * 16, "champion": "b" * 16}


def champions() -> dict[str, Any]:
    told = [("1.0.0", "a", 40, 0.61), ("1.1.0", "b", 12, 0.87), ("1.2.0", "c", 3, 0.9)]
    releases = [
        {
            "version": version,
            "bundle": bundle * 16,
            "at": (NOW - timedelta(days=days)).isoformat(),
            "reward": reward,
            "reward_low": reward - 0.03,
            "reward_high": reward + 0.03,
        }
        for version, bundle, days, reward in told
    ]
    return {"releases": releases, "withdrawn": {"c" * 16: "it saw ghosts"}}


def state(**given: Any) -> Any:
    from gate_page.airflow_state import State

    quiet: dict[str, Any] = {"last": None, "next": None, "paused": False, "questions": []}
    return State(**quiet | given)


def page(**given: Any) -> str:
    from gate_page import house, page

    return page.drawn(house.facts(), state(**given))


def card(**given: Any) -> str:
    from gate_page import card, house

    return card.drawn(house.facts(), state(**given))


def test_before_the_first_night_everything_says_so(house: Path) -> None:
    said = page()
    for words in ("Before the first night", "none yet", "Nobody has been champion", "No picture waits"):
        assert words in said
    assert "no champion yet" in card()


def test_the_page_tells_the_verdict_the_champions_and_the_cases(lived_in: Path) -> None:
    said = page(next=NOW + timedelta(hours=3, minutes=1))
    assert "The challenger is promoted" in said
    assert "v1.1.0" in said and "12 days old" in said and "reward .87 [.84, .90]" in said
    assert "1.2.0 was taken back: it saw ghosts" in said
    assert "today, day 12" in said
    assert "in 3 h" in said
    assert said.index("cd" * 32) < said.index(IMAGE)  # the most uncertain first
    assert "ef" * 32 not in said  # has its label
    assert "http://127.0.0.1:5151/datasets/retrain-72?view=case" in said
    assert "gate/reports/gate" in said and "gate/reports/dataset" not in said


def test_the_gates_report_finds_the_nights_cost(lived_in: Path) -> None:
    from gate_page import application, house

    script = '<script src="../../var/night_cost.js"></script>'
    assert script in (REPOSITORY / "pipeline/gate/report/page.py").read_text()
    assert house.cost() == ""
    told = 'document.getElementById("cost").textContent = "cost 0.0100 USD (CPU 0.0100)";\n'
    (lived_in / "var/night_cost.js").write_text(told)
    (lived_in / "artifacts/gate/report.html").write_text(script)
    [report] = [one for one in application.application().routes if one.path == "/reports/{name}"]
    assert b'src="../night_cost.js"' in report.endpoint("gate").body
    assert house.cost() == told
    assert house.facts().cost == "cost 0.0100 USD (CPU 0.0100)"


def test_what_a_stage_wrote_is_text_and_never_markup(lived_in: Path) -> None:
    assert "<script>" not in page()
    assert "&lt;script&gt;" in page()


def test_the_card_is_one_sentence(lived_in: Path) -> None:
    said = card(next=NOW + timedelta(hours=3, minutes=1))
    assert "champion v1.1.0, 12 days old, reward .87 [.84, .90]" in said
    assert "next run in 3 h" in said


def test_a_question_is_on_page_and_card_with_the_way_to_its_answer(lived_in: Path) -> None:
    from gate_page.airflow_state import Question

    asked = [Question("night/1", "approve", "Publish v1.2.0?")]
    for said in (page(questions=asked), card(questions=asked)):
        assert "Publish v1.2.0?" in said
        assert "dags/retrain_72/runs/night%2F1/tasks/approve/required_actions" in said


def test_a_paused_night_is_told(lived_in: Path) -> None:
    assert "next run paused" in card(paused=True, next=NOW)


def test_a_run_tells_its_verdict_and_where_everything_came_from(house: Path) -> None:
    from gate_page import run
    from gate_page.airflow_state import Made, Run, RunFacts

    record = {"commit": "f" * 40, "params": "e" * 64, "hash": "d" * 32, "summary": {"rows": 3}}
    made = [
        Made("pull", "success", 4.0, record),
        Made("gate", "success", 60.0, record | {"verdict": verdict()}),
        Made("publish", "upstream_failed", None, None),
    ]
    said = run.drawn(RunFacts(Run("retrain_72", "night", "failed", NOW), made, []))
    for words in ("PASS", "ffffffffffff", "dddddddddddd", "rows 3", "4 s", "upstream_failed"):
        assert words in said
    quiet = RunFacts(Run("watch_72", "tick", "success", NOW), [], [])
    assert "asked the gate nothing" in run.drawn(quiet)


def test_pictures_are_small_and_only_pictures(house: Path) -> None:
    from gate_page import pictures
    from PIL import Image

    file = house / "var/images" / IMAGE[:2] / f"{IMAGE}.jpg"
    file.parent.mkdir(parents=True)
    Image.new("RGB", (1280, 704), "teal").save(file, "JPEG")
    small = pictures.thumbnail(IMAGE)
    assert small and small[:2] == b"\xff\xd8" and len(small) < 10_000
    for name in ("cd" * 32, IMAGE.upper(), f"{IMAGE}\n", "../../params.yaml", "", IMAGE[:-1]):
        assert pictures.thumbnail(name) is None


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(5, "5 s"), (119, "119 s"), (180, "3 min"), (3 * 3600, "3 h"), (12 * 86400, "12 days")],
)
def test_spans_are_told_as_people_do(seconds: float, said: str) -> None:
    from gate_page import words

    assert words.span(seconds) == said


def test_the_shipped_age_rule_can_be_drawn() -> None:
    from gate_page import drawings

    rule = yaml.safe_load((REPOSITORY / "params.yaml").read_text())["age"]
    assert "day 95" in drawings.age(rule, 95.0)
    assert "today" not in drawings.age(rule, None)
