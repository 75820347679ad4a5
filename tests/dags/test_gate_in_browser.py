"""The page as an operator meets it: a real API server with login, a real browser, a publish that waits."""

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image

from pipeline import services
from pipeline.services import airflow
from pipeline.services.airflow_api import Api

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
USER, PASSWORD = "ann", "correct horse"
IMAGE = "ab" * 32
PATHS = ("page", "card", "run?dag=retrain_72&run=night", "gate.js", f"images/{IMAGE}", "reports/gate")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def house(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    taken = socket.create_server(("127.0.0.1", 0))  # by somebody else: the house takes another one
    monkeypatch.setattr(airflow, "PORT", taken.getsockname()[1])
    passwords = checkout / "passwords.json"
    passwords.write_text(json.dumps({USER: PASSWORD}))
    for name, value in {
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW_USER": USER,
        "AIRFLOW_PASSWORD": PASSWORD,
    }.items():
        monkeypatch.setenv(name, value)
    furnish(checkout)
    yield checkout
    services.down()
    taken.close()


def furnish(house: Path) -> None:
    """Cases with a picture, and a champion."""
    picture = house / "var/images" / IMAGE[:2] / f"{IMAGE}.jpg"
    picture.parent.mkdir(parents=True)
    Image.new("RGB", (640, 360), "teal").save(picture, "JPEG")
    case = {"image": [IMAGE], "reason": ["margin"], "score": [0.9], "p": [0.5]}
    cases = pl.DataFrame(case).with_columns(label=pl.lit(None, pl.Int8))
    told = {"version": "1.4.2", "bundle": "b0", "at": "2026-01-01T00:00:00+00:00"}
    told |= {"reward": 0.87, "reward_low": 0.84, "reward_high": 0.9}
    (house / "var/champions.json").write_text(json.dumps({"releases": [told], "withdrawn": {}}))
    (house / "params.yaml").write_text(
        "age: {full_days: 45, zero_day: 90, retrain_by: 30, upload_by: 40, promote: false}\n"
    )
    cases.write_parquet(house / "cases.parquet")


def test_an_operator_looks_and_approves(house: Path) -> None:
    sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: `make setup` installs it")
    if not CHROMIUM.exists():
        pytest.skip(f"no {CHROMIUM}: `apt-get install chromium`")
    services.up(["airflow"])
    api = airflow.api()
    run = api.trigger("retrain_72", "night", {"require_approval": True})
    queued = api.trigger("retrain_72", "second")
    wait_for_approval(api, run)
    assert api.state("retrain_72", queued) == "queued"  # two triggers at once are one after the other
    (house / "cases.parquet").rename(house / "artifacts/mine/samples.parquet")
    nobody_gets_in(api.url)
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        operates(browser.new_page(viewport={"width": 1280, "height": 900}), api, run)
        looks_by_phone(browser.new_page(viewport={"width": 390, "height": 844}), api.url)
        browser.close()
    list(api.follow("retrain_72", run))
    assert api.state("retrain_72", run) == "success"
    assert json.loads((house / "artifacts/publish/receipt.json").read_text())["published"]


def wait_for_approval(api: Api, run: str) -> None:
    for task in api.follow("retrain_72", run):
        if (task.name, task.state) == ("approve", "awaiting_input"):
            return
    raise AssertionError("it asked nobody")


def nobody_gets_in(url: str) -> None:
    for path in PATHS:
        for headers in ({}, {"Authorization": "Bearer made.up.token"}):
            request = urllib.request.Request(f"{url}/gate/{path}", headers=headers)
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request, timeout=30)
            assert refused.value.code == (403 if headers else 401), path


def operates(page: Any, api: Api, run: str) -> None:
    said = sign_in(page, api.url)
    card = page.get_by_text("champion v1.4.2")
    card.wait_for()
    assert "reward .87 [.84, .90]" in card.inner_text()
    page.get_by_role("link", name="Gate", exact=True).click()
    page.get_by_text("The challenger is promoted").wait_for()
    picture = page.locator(f"img[src$='{IMAGE}']")
    picture.wait_for()
    assert picture.evaluate("one => one.decode().then(() => one.naturalWidth)") == 320
    page.get_by_role("link", name="Answer").click()
    page.get_by_role("button", name="Approve").first.click()
    wait_until(page, lambda: api.tasks("retrain_72", run)["approve"].state == "success")
    page.goto(f"{api.url}/dags/retrain_72/runs/{run}/plugin/gate-of-run")
    page.get_by_text("The challenger is promoted").wait_for()
    assert said == []


def looks_by_phone(page: Any, url: str) -> None:
    said = sign_in(page, url)
    page.get_by_text("champion v1.4.2").wait_for()
    for place in ("plugin/gate", "gate/page"):
        page.goto(f"{url}/{place}")
        page.get_by_text("Tonight's cases").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.goto(f"{url}/plugin/gate")
    main = page.locator("main", has_text="Tonight's cases").last
    main.wait_for()
    assert main.evaluate("one => one.scrollWidth <= one.clientWidth")
    assert said == []


def heard(page: Any) -> list[str]:
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda line: said.append(line.text) if line.type == "error" else None)
    return said


def sign_in(page: Any, url: str) -> list[str]:
    """What the page complains of from then on; before, Airflow itself asks for what it may not have yet."""
    page.goto(url)
    page.locator("input[name=username]").fill(USER)
    page.locator("input[name=password]").fill(PASSWORD)
    said = heard(page)
    page.locator("button[type=submit]").click()
    page.get_by_text("Welcome").first.wait_for()
    return said


def wait_until(page: Any, done: Any) -> None:
    for _ in range(120):
        if done():
            return
        page.wait_for_timeout(500)
    raise AssertionError("the run does not go on")
