"""Prometheus' own tool checks its configuration, and lets every alert fire and keep silent."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy" / "prometheus"
RULES = {
    rule["alert"]: rule
    for file in sorted((DEPLOY / "rules").glob("*.yml"))
    for group in yaml.safe_load(file.read_text())["groups"]
    for rule in group["rules"]
}
PROMTOOL = shutil.which("promtool")

needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="promtool is not here; apt-get install -y prometheus"
)


class Case(NamedTuple):
    """Series in promtool's notation, a value a minute, and what is said after so many of them."""

    alert: str
    series: dict[str, str]
    minutes: int
    labels: dict[str, str]
    summary: str


LIMIT = "pipeline_limit{what='%s'}"
RUNTIME = {"instance": "r:1"}
ASKED = "runtime_requests_total{instance='r:1',route='/v1/predict',status='%s'}"
TOTAL = "runtime_stage_seconds_%s{instance='r:1',stage='total'%s}"
DISK = "{instance='n:1',mountpoint='/',fstype='ext4'}"
GPU = {"gpu": "0", "instance": "g:1"}

UP = "up{job='runtime',instance='r:1'}"

FIRING = [
    Case("RuntimeDown", {UP: "1 0x9"}, 3, {"job": "runtime", **RUNTIME},
         "The runtime at r:1 does not answer; nobody is served."),
    Case("MinerDown", {"up{job='miner',instance='m:1'}": "1 0x9"}, 4, {"job": "miner", "instance": "m:1"},
         "The miner at m:1 does not answer; validators get nothing."),
    Case("NoChallenges", {UP: "1x200"}, 180,
         {"job": "runtime", **RUNTIME}, "Nobody has asked r:1 anything for two hours."),
    Case("SlowAnswers", {TOTAL % ("bucket", ",le='2.5'"): "0x30", TOTAL % ("bucket", ",le='5.0'"): "0+60x30",
                         TOTAL % ("bucket", ",le='+Inf'"): "0+60x30", TOTAL % ("count", ""): "0+60x30"},
         20, RUNTIME, "One answer in a hundred takes over 5.0 s at r:1."),
    Case("ManyErrors", {ASKED % 200: "0+90x30", ASKED % 500: "0+10x30"}, 20, RUNTIME,
         "10% of the answers of r:1 are errors of its own."),
    Case("JournalSheds", {"runtime_journal_shed{instance='r:1'}": "0 0 1 2 3"}, 4, RUNTIME,
         "r:1 answers and does not keep what it answered; its disk is full or slow."),
    Case("PipelineUnseen", {"up{job='pipeline',instance='p:1'}": "0x30"}, 11,
         {"job": "pipeline", "instance": "p:1"}, "Nothing tells how the nights go; the exporter is down."),
    Case("SourceUnreadable", {"pipeline_source_up{source='hub'}": "0x90"}, 31, {"source": "hub"},
         "The pipeline's hub cannot be read."),
    Case("StageFailed", {"pipeline_stage_failed{stage='train'}": "1x90"}, 61, {"stage": "train"},
         "The night stands at train, whose last run did not end well."),
    Case("NoNight", {"pipeline_night_last_success_timestamp_seconds": "0x2000",
                     LIMIT % "night_hours": "26x2000"}, 1620, {},
         "No night has come to its end for 27 hours."),
    Case("ModelAging", {"pipeline_champion_age_days": "31x9", LIMIT % "age_retrain_by_days": "30x9"}, 1, {},
         "The champion is 31 days old; a newer one is due."),
    Case("ModelOld", {"pipeline_champion_age_days": "41x9", LIMIT % "age_upload_by_days": "40x9"}, 1, {},
         "The champion is 41 days old and will soon earn less."),
    Case("Drift", {"pipeline_drift": "0.31x90", LIMIT % "drift": "0.25x90"}, 61, {},
         "The champion's answers have moved, stability index 0.31."),
    Case("VerdictStreak", {"pipeline_verdict_streak": "15x9", LIMIT % "streak": "14x9"}, 1, {},
         "15 contests in a row ended without a promotion."),
    Case("NightTooDear", {"pipeline_night_usd": "7.5x9", LIMIT % "usd_night": "5x9"}, 1, {},
         "The night has cost 7.50 USD."),
    Case("WatchStopped", {"pipeline_watch_timestamp_seconds": "0x90"}, 67, {},
         "watch_72 has not looked for an hour."),
    Case("DiskNearlyFull", {"pipeline_disk_free_bytes": "2e9x9", LIMIT % "disk_free_gb": "5x9"}, 6, {},
         "2.0 GB are left on the disk of the house."),
    Case("DiskFullInADay", {f"node_filesystem_avail_bytes{DISK}": "25e9-3e7x500",
                            f"node_filesystem_size_bytes{DISK}": "100e9x500"}, 480,
         {"instance": "n:1", "mountpoint": "/", "fstype": "ext4"},
         "/ of n:1 is full within a day at this pace."),
    Case("GpuMemoryNearlyFull", {"DCGM_FI_DEV_FB_USED{gpu='0',instance='g:1'}": "97x30",
                                 "DCGM_FI_DEV_FB_FREE{gpu='0',instance='g:1'}": "3x30"}, 11, GPU,
         "97% of the memory of GPU 0 is taken."),
    Case("GpuHot", {"DCGM_FI_DEV_GPU_TEMP{gpu='0',instance='g:1'}": "91x30"}, 6, GPU,
         "GPU 0 has 91 degrees."),
    Case("ChainAbsent", {"subnet_chain_up{instance='m:1'}": "0x200"}, 121, {"instance": "m:1"},
         "The chain has not answered for two hours; the miner goes on with whom it knows."),
    Case("NotRegistered", {"subnet_registered{instance='m:1'}": "0x90",
                           "subnet_chain_up{instance='m:1'}": "1x90"}, 31,
         {"instance": "m:1"}, "The hotkey is not registered on the subnet; no validator will ask it."),
    Case("AllBurned", {"subnet_burn{instance='m:1'}": "1x90"}, 61, {"instance": "m:1"},
         "100% of what miners could earn goes to the owner."),
]  # fmt: skip

SILENT = [
    Case("NoChallenges", {ASKED % 200: "0+1x200", UP: "1x200"}, 180, {}, ""),
    Case("NoChallenges", {ASKED % 200: "5x200", UP: "0x200"}, 180, {}, ""),
    Case("SlowAnswers", {TOTAL % ("bucket", ",le='1.0'"): "0+60x30",
                         TOTAL % ("bucket", ",le='+Inf'"): "0+60x30", TOTAL % ("count", ""): "0+60x30"},
         20, {}, ""),
    Case("ManyErrors", {ASKED % 200: "0+990x30", ASKED % 500: "0+10x30", ASKED % 429: "0+500x30"},
         20, {}, ""),
    Case("StageFailed", {"pipeline_stage_failed{stage='pull'}": "1x20 0x90"}, 65, {}, ""),
    Case("Drift", {"pipeline_drift": "0.2x90", LIMIT % "drift": "0.25x90"}, 70, {}, ""),
    Case("NotRegistered", {"subnet_registered{instance='m:1'}": "0x90",
                           "subnet_chain_up{instance='m:1'}": "0x90"}, 40, {}, ""),
    Case("ModelAging", {"pipeline_champion_age_days": "29x9", LIMIT % "age_retrain_by_days": "30x9"},
         1, {}, ""),
]  # fmt: skip


@needs_promtool
def test_promtool_accepts_configuration_and_rules() -> None:
    done = subprocess.run(
        [str(PROMTOOL), "check", "config", "prometheus.yml"], cwd=DEPLOY, capture_output=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert b"WARNING" not in done.stderr


@needs_promtool
def test_every_alert_fires_when_it_should_and_not_else(tmp_path: Path) -> None:
    tests = [
        *(_expecting(case, [_alert(case)]) for case in FIRING),
        *(_expecting(case, []) for case in SILENT),
    ]
    # By its values alone no alert may fire before its time either.
    early = [_expecting(case._replace(minutes=0), []) for case in FIRING if "for" in RULES[case.alert]]
    files = [str(file) for file in (DEPLOY / "rules").glob("*.yml")]
    (tmp_path / "cases.yml").write_text(yaml.safe_dump({"rule_files": files, "tests": tests + early}))
    done = subprocess.run(
        [str(PROMTOOL), "test", "rules", str(tmp_path / "cases.yml")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_alert_is_without_a_case_and_a_line_in_the_runbook() -> None:
    assert {case.alert for case in FIRING} == RULES.keys()
    headings = re.findall(r"(?m)^### (\w+)$", (ROOT / "docs" / "operations.md").read_text())
    assert sorted(headings) == sorted(RULES)
    for name, rule in RULES.items():
        assert rule["annotations"]["runbook"] == f"docs/operations.md#{name.lower()}"
        assert rule["labels"]["severity"] in ("page", "warn")


def _expecting(case: Case, alerts: list[dict[str, Any]]) -> dict[str, Any]:
    series = [{"series": name.replace("'", '"'), "values": values} for name, values in case.series.items()]
    wanted = {"eval_time": f"{case.minutes}m", "alertname": case.alert, "exp_alerts": alerts}
    return {"interval": "1m", "input_series": series, "alert_rule_test": [wanted]}


def _alert(case: Case) -> dict[str, Any]:
    rule = RULES[case.alert]
    told = {"summary": case.summary, "runbook": rule["annotations"]["runbook"]}
    return {"exp_labels": rule["labels"] | case.labels, "exp_annotations": told}
