"""What the dashboards and the rules ask for is what the house really tells."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from inference_runtime.metrics import HELP
from inference_runtime.miner import standing
from inference_runtime.miner.standing import Standing
from pipeline import lines, params
from pipeline.metrics import exporter
from pipeline.watching import seen
from pipeline.watching.seen import Chain, Seen

ROOT = Path(__file__).parents[2]
BOARDS = {
    file.stem: json.loads(file.read_text())
    for file in sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
}
PROMTOOL = shutil.which("promtool")
# Of exporters that are not ours: node_exporter and NVIDIA's dcgm-exporter, by their documents.
OTHERS = {
    "node_filesystem_avail_bytes",
    "node_filesystem_size_bytes",
    "DCGM_FI_DEV_FB_USED",
    "DCGM_FI_DEV_FB_FREE",
    "DCGM_FI_DEV_GPU_TEMP",
}
OURS = ("runtime_", "pipeline_", "subnet_", "node_", "DCGM_")
PANELS = [
    pytest.param(target["expr"], id=f"{name}: {panel['title']}")
    for name, board in BOARDS.items()
    for panel in board["panels"]
    for target in panel["targets"]
]


def asked(expression: str) -> set[str]:
    return {word for word in re.findall(r"[A-Za-z_:]\w*", expression) if word.startswith(OURS)}


def named(exposition: str) -> set[str]:
    """Every name that a sample of these families may have."""
    found = dict(re.findall(r"(?m)^# TYPE (\S+) (\w+)$", exposition))
    parts = {f"{name}{end}" for name in found for end in ("_bucket", "_sum", "_count")}
    return set(found) | {name for name in parts if found[name.rpartition("_")[0]] == "histogram"}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What the runtime and both exporters tell when all there is to tell is there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(_house(tmp_path_factory.mktemp("house")))
        patch.delenv("RETRAIN_HOME", raising=False)
        seen.write(
            Seen(
                "2026-11-20T12:00:00Z", True, 1.0, 5, 0.1, 0.5, 0.5, 9, Chain(1.0, True, True, 0.5), 1.0, 1.0
            )
        )
        pipeline = named(exporter.text(params.load()))
    subnet = named(standing.text(Standing(True, 1.0, 1, 1, 0.5, 0.5, 1, 1, 0.5, 0.5, 0.5)))
    return pipeline | subnet | OTHERS | _of_the_runtime()


def _house(place: Path) -> Path:
    shutil.copy(ROOT / "params.yaml", place)
    (place / "dvc.yaml").touch()
    for stage, came in (("mine", {"waiting": 3}), ("gate", {"verdict": "PASS"}), ("rollout", {})):
        entry = {"id": stage, "stage": stage, "night": "a", "began": "2026-11-20T02:00:00Z"}
        lines.append(place / "var/runs.jsonl", entry | {"outcome": "ok", "came": came})
    release = {"version": "1.0.0", "bundle": "b", "beat": None, "at": "2026-11-20T02:00:00+00:00", "card": {}}
    (place / "var/hub/releases").mkdir(parents=True)
    (place / "var/hub/releases/00000-1.0.0.json").write_text(json.dumps(release))
    return place


def _of_the_runtime() -> set[str]:
    """tests/runtime/test_exposition.py holds this list against a server that answers."""
    kinds = "".join(f"# TYPE runtime_{name} {kind}\n" for name, (kind, _) in HELP.items())
    gauges = ("bundle_info", "model_age_seconds", "queue_depth", "held_bytes", "connections")
    journal = ("journal_written", "journal_shed", "journal_images_shed")
    return named(kinds) | {f"runtime_{name}" for name in (*gauges, *journal)}


@pytest.mark.parametrize("expression", PANELS)
def test_every_panel_asks_for_what_is_told(expression: str, told: set[str]) -> None:
    names = asked(expression)
    assert names or "up{" in expression
    assert names <= told, f"{sorted(names - told)} is told by nobody"


def test_every_rule_asks_for_what_is_told(told: set[str]) -> None:
    for file in (ROOT / "deploy" / "prometheus" / "rules").glob("*.yml"):
        assert asked(file.read_text().replace("runtime_down", "")) <= told, file.name


def test_limits_that_rules_compare_with_are_told() -> None:
    text = "".join(file.read_text() for file in (ROOT / "deploy" / "prometheus" / "rules").glob("*.yml"))
    given = params.load(ROOT / "params.yaml")
    known = {"age_retrain_by_days", "age_upload_by_days", *given.watch.model_dump()}
    assert set(re.findall(r'pipeline_limit\{what="(\w+)"\}', text)) <= known


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not here; apt-get install -y prometheus")
def test_every_question_is_one_that_prometheus_understands(tmp_path: Path) -> None:
    expressions = [one.values[0] for one in PANELS]
    rules = [{"record": f"panel:{n}", "expr": expression} for n, expression in enumerate(expressions)]
    (tmp_path / "panels.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(
        [str(PROMTOOL), "check", "rules", str(tmp_path / "panels.yml")], capture_output=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_is_whole(name: str) -> None:
    board = BOARDS[name]
    places = [panel["gridPos"] for panel in board["panels"]]
    assert len({panel["id"] for panel in board["panels"]}) == len(places) >= 15
    assert board["title"] and board["description"] and board["uid"]
    cells = [
        (x, y) for p in places for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])
    ]
    assert len(set(cells)) == len(cells) and max(x for x, _ in cells) < 24, "no panel lies on another"
    source: Any = yaml.safe_load(
        (ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml").read_text()
    )["datasources"][0]
    assert {panel["datasource"]["uid"] for panel in board["panels"]} == {source["uid"]}
