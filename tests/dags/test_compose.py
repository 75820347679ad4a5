"""docker-compose.yaml, as far as it can be checked without an engine: the same house as the services tell."""

from pathlib import Path
from typing import Any

import yaml

from pipeline import services
from pipeline.services import airflow

FILE = Path(__file__).resolve().parents[2] / "docker-compose.yaml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text())
SETTINGS: dict[str, str] = COMPOSE["x-house"]["environment"]


def test_every_service_of_the_house_is_there() -> None:
    ours = {part for name in services.NAMES for part in services._parts(name)}
    assert set(COMPOSE["services"]) == ours | {"postgres", "airflow-migration"}


def test_no_port_is_open_beyond_loopback() -> None:
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]
    assert len(ports) == 3
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_images_are_pinned() -> None:
    assert not [
        service["image"]
        for service in COMPOSE["services"].values()
        if service["image"] != "retrain-72" and ":" not in service["image"]
    ]


def test_no_secret_is_written_down() -> None:
    secret = [value for name, value in SETTINGS.items() if name.endswith(("TOKEN", "SECRET"))]
    assert secret
    assert all(value.startswith("${") for value in secret)


def test_what_a_service_waits_for_exists() -> None:
    for service in COMPOSE["services"].values():
        for other, condition in service.get("depends_on", {}).items():
            awaited = COMPOSE["services"][other]
            assert condition["condition"] != "service_healthy" or "healthcheck" in awaited


def test_airflow_knows_every_setting() -> None:
    from airflow.configuration import conf

    for name in [name for name in SETTINGS if name.startswith("AIRFLOW__")]:
        _, section, key = name.lower().split("__", 2)
        assert conf.configuration_description.get(section, {}).get("options", {}).get(key), name


def test_both_ways_of_running_are_as_patient(checkout: Path) -> None:
    native = airflow.environment(8080)
    shared = {name for name in native if name.startswith("AIRFLOW__")} & set(SETTINGS)
    places = {"DAGS_FOLDER", "PLUGINS_FOLDER", "SQL_ALCHEMY_CONN", "EXECUTION_API_SERVER_URL"}
    differ = {name for name in shared if native[name] != SETTINGS[name]}
    assert {name.rpartition("__")[2] for name in differ} <= places
    assert len(shared) > 10
