"""docker-compose.yaml, as far as it can be checked without an engine.

A strict parser of the compose specification reads it with .env.example filled in, as `docker compose` would;
every command of ours is parsed by the program that it starts; and what it sets, Airflow knows.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose
from listening import Listening, Speaker

from inference_runtime.__main__ import _parser as runtime_words
from pipeline import services
from pipeline.__main__ import _parser as pipeline_words
from pipeline.services import airflow

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SETTINGS: dict[str, str] = COMPOSE["x-house"]["environment"]
EXAMPLE = dict(re.findall(r"(?m)^([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text()))
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")
OURS = ("retrain-72:", "retrain-72-runtime:", "retrain-72-miner:")


def filled(text: str, given: dict[str, str]) -> str:
    """The variables replaced as `docker compose` does it."""

    def value(found: re.Match[str]) -> str:
        name, operator, other = found.groups()
        return given.get(name) or (other if operator == "-" else "") or ""

    return VARIABLE.sub(value, text).replace("$$", "$")


FILLED: dict[str, Any] = yaml.safe_load(
    filled(TEXT, {name: said or "word" for name, said in EXAMPLE.items()})
)


def test_it_follows_the_specification_and_names_nothing_that_is_missing() -> None:
    read = PyCompose.from_yaml(yaml.safe_dump(FILLED))
    read.validate()
    assert set(read.service_names()) == SERVICES.keys()


def test_every_variable_is_in_the_example_and_no_other() -> None:
    assert {name for name, _, _ in VARIABLE.findall(TEXT)} | {"COMPOSE_PROFILES"} | _made_secrets() == set(
        EXAMPLE
    )


def test_what_must_be_set_stops_the_start_and_is_empty_in_the_example() -> None:
    must = {name for name, operator, _ in VARIABLE.findall(TEXT) if operator == "?"}
    assert must >= {"POSTGRES_PASSWORD", "REDIS_PASSWORD", "JWT_SECRET", "RUNTIME_ADMIN_TOKEN", "BUNDLE"}
    secret = [name for name in EXAMPLE if re.search("PASSWORD|SECRET|TOKEN|(?<!HOT)KEY", name)]
    assert len(secret) > 8 and not any(EXAMPLE[name] for name in secret)


def _made_secrets() -> set[str]:
    return {secret["environment"] for secret in COMPOSE["secrets"].values()}


def test_every_service_of_the_house_is_there() -> None:
    native = {part for name in services.NAMES for part in services._parts(name)} - {"runtime"}
    assert native <= SERVICES.keys()
    wanted = {
        *("airflow-worker-cpu", "airflow-worker-gpu", "postgres", "redis", "mongo", "minio", "ship", "nginx"),
        *("runtime-accuracy", "runtime-speed", "miner", "metrics", "prometheus", "alertmanager", "grafana"),
    }
    assert wanted <= SERVICES.keys()


def test_no_port_is_open_beyond_loopback() -> None:
    ports = [port for service in FILLED["services"].values() for port in service.get("ports", [])]
    assert len(ports) == 7
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned_nobody_is_root_and_nothing_is_gained(name: str) -> None:
    service = SERVICES[name]
    assert re.search(r":[\w.-]*\d+[.-]\d+[\w.-]*$", service["image"]), service["image"]
    assert service["user"] not in ("root", "0", "0:0")
    assert service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", SERVICES)
def test_what_stays_up_is_asked_how_it_is(name: str) -> None:
    passes = {"airflow-migration", "bucket"}
    service = SERVICES[name]
    assert ("healthcheck" in service) == (name not in passes | {"ship"})
    assert service["restart"] == ("no" if name in passes else "unless-stopped")


def test_what_a_service_waits_for_exists() -> None:
    for service in SERVICES.values():
        for other, condition in service.get("depends_on", {}).items():
            awaited = SERVICES[other]
            assert condition["condition"] != "service_healthy" or "healthcheck" in awaited
            hidden = awaited.get("profiles") and not service.get("profiles")
            assert not hidden or condition.get("required") is False, "it may not be up at all"


def test_every_file_that_is_mounted_is_here() -> None:
    for name, service in FILLED["services"].items():
        for volume in service.get("volumes", []):
            source = volume["source"] if isinstance(volume, dict) else volume.partition(":")[0]
            if source.startswith("./deploy"):
                assert (ROOT / source).exists(), name
            elif not source.startswith((".", "/")):
                assert source in COMPOSE["volumes"], name
        if build := service.get("build"):
            assert (ROOT / build["dockerfile"]).is_file()


WORDS = {
    name: [str(word) for word in FILLED["services"][name]["command"]]
    for name, service in SERVICES.items()
    if service["image"].startswith(OURS)
}
AIRFLOW = {name: words for name, words in WORDS.items() if words[0] in ("airflow", "sh")}


@pytest.mark.parametrize("name", sorted(WORDS.keys() - AIRFLOW.keys()))
def test_every_command_of_ours_is_one_that_exists(name: str) -> None:
    words = WORDS[name]
    if not SERVICES[name]["image"].startswith("retrain-72:"):  # the image's entry point comes before
        assert runtime_words().parse_args(words).command == words[0]
    elif words[:3] == ["python", "-m", "pipeline"]:
        assert pipeline_words().parse_args(words[3:]).command == words[3]
    else:
        assert words[:3] == ["python", "-m", "fiftyone.server.main"]


def test_airflow_knows_every_command() -> None:
    """Its own parser; a shell's line is taken apart first."""
    pytest.importorskip("airflow.providers.celery", reason="Airflow's Celery is not here; make setup")
    lines = [line for words in AIRFLOW.values() for line in words[-1].split(" && ") if words[0] == "sh"]
    lines += [shlex.join(words) for words in AIRFLOW.values() if words[0] == "airflow"]
    assert len(lines) > 7
    code = (
        "import shlex, sys; from airflow.cli.cli_parser import get_parser\n"
        "for line in sys.argv[1:]: get_parser().parse_args(shlex.split(line)[1:])"
    )
    environment = {**os.environ, "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor"}
    done = subprocess.run([sys.executable, "-c", code, *lines], capture_output=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]


def test_airflow_knows_every_setting() -> None:
    from airflow.configuration import conf

    providers = ("celery", "celery_broker_transport_options")
    for name in [name for name in SETTINGS if name.startswith("AIRFLOW__")]:
        _, section, key = name.lower().split("__", 2)
        if section not in providers:
            assert conf.configuration_description.get(section, {}).get("options", {}).get(key), name


def test_both_ways_of_running_are_as_patient(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETRAIN_HOME", str(home))
    native = airflow.environment(8080)
    composed = {name: filled(value, {}) for name, value in SETTINGS.items()}
    shared = {name for name in native if name.startswith("AIRFLOW__")} & set(composed)
    differ = {name.rpartition("__")[2] for name in shared if native[name] != composed[name]}
    places = {"DAGS_FOLDER", "PLUGINS_FOLDER", "SQL_ALCHEMY_CONN", "EXECUTION_API_SERVER_URL"}
    # Several machines, and somebody else's browser.
    assert differ <= places | {"EXECUTOR", "PARALLELISM", "SIMPLE_AUTH_MANAGER_ALL_ADMINS"}
    assert len(shared) > 12


def test_prometheus_scrapes_services_that_exist_on_their_ports() -> None:
    folder = ROOT / "deploy" / "prometheus"
    jobs = yaml.safe_load((folder / "prometheus.yml").read_text())["scrape_configs"]
    targets = {t for job in jobs for part in job.get("static_configs", []) for t in part["targets"]}
    for file in ("miner", "gpu"):
        assert yaml.safe_load((folder / "targets" / f"{file}.yml").read_text()) == []
        targets |= set(re.findall(r"targets: \[(\S+)\]", (folder / "targets" / f"{file}.yml").read_text()))
    aliases = {"runtime", "localhost"}
    assert {target.partition(":")[0] for target in targets} <= SERVICES.keys() | aliases
    for service, flag in (("metrics", "--port"), ("miner", "--metrics-port")):
        words = re.split(r"[ =]", " ".join(SERVICES[service]["command"]))
        assert f"{service}:{words[words.index(flag) + 1]}" in targets


def test_the_container_file_copies_what_is_there() -> None:
    said = (ROOT / "Containerfile").read_text()
    copied = [words.split() for words in re.findall(r"(?m)^COPY (.+)$", said)]
    assert copied and all((ROOT / name).exists() for *names, _ in copied for name in names)
    assert re.search(r"(?m)^FROM python:3\.11\.\d+", said) and re.search(r"(?m)^USER house$", said)
    extras = re.search(r"(?m)^EXTRAS = (.+)$", (ROOT / "Makefile").read_text())
    assert extras and re.findall(r"--extra (\w+)", said) == re.findall(r"--extra (\w+)", extras[1])


class Health(Speaker):
    """Airflow's word on itself: the scheduler is well, the triggerer is not, of others it says nothing."""

    def do_GET(self) -> None:
        self.say(200, {"scheduler": {"status": "healthy"}, "triggerer": {"status": "unhealthy"}})


@pytest.fixture
def health() -> Iterator[str]:
    with Listening(Health) as server:
        yield server.url


@pytest.mark.parametrize(("part", "code"), [("scheduler", 0), ("triggerer", 1), ("dag_processor", 1)])
def test_a_part_of_airflow_is_as_well_as_airflow_says(health: str, part: str, code: int) -> None:
    command = [sys.executable, str(ROOT / "deploy" / "airflow_health.py"), part]
    done = subprocess.run(command, env={**os.environ, "AIRFLOW_HEALTH_URL": health}, capture_output=True)
    assert done.returncode == code
