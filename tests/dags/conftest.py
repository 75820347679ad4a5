"""A checkout in miniature: git, DVC, five stages, and the project's own DAG and plugin."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

# Airflow makes its home when it is first imported; that must not be the one of whoever runs the tests.
AIRFLOW_HOME = tempfile.TemporaryDirectory(prefix="airflow-", ignore_cleanup_errors=True)
os.environ.setdefault("AIRFLOW_HOME", AIRFLOW_HOME.name)

REPOSITORY = Path(__file__).resolve().parents[2]

STAGE = """\
import json, os, sys, time
from pathlib import Path
name = sys.argv[1]
print(f"{name} until {os.environ.get('UNTIL')}", file=sys.stderr)
if Path(f"{name}.fails").exists():
    told = {"fixable": ("params.yaml: wrong", False), "away": ("the hub: out of reach", True)}
    if kind := Path(f"{name}.fails").read_text():
        error, again = told[kind]
        Path(os.environ["TOLD"]).write_text(json.dumps({"error": error, "again": again}))
    sys.exit(f"{name}.fails: in the way; remove it")
if Path(f"{name}.hangs").exists():
    import signal, subprocess
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(f"{name}.pids").write_text(f"{os.getpid()} {child.pid}")
    time.sleep(600)
out = Path("artifacts") / name
out.mkdir(parents=True)
(out / "summary.json").write_text(json.dumps({"rows": 3}))
if name == "gate":
    verdict = {"value": "PASS", "challenger": "b1", "reasons": ["better"]}
    (out / "verdict.json").write_text(json.dumps(verdict))
if name == "publish":
    refused = os.environ.get("REFUSED")
    (out / "receipt.json").write_text(json.dumps({"bundle": "b1", "published": not refused, "why": refused}))
    print(f"publish: refused, {refused}" if refused else "publish: done")
"""

DVC_YAML = """\
stages:
  pull:
    cmd: python stage.py pull
    outs: [artifacts/pull]
    always_changed: true
  mine:
    cmd: python stage.py mine
    deps: [artifacts/pull]
    outs: [artifacts/mine]
  train:
    cmd: python stage.py train
    deps: [artifacts/mine, artifacts/pull/summary.json]
    outs:
      - artifacts/train:
          cache: true
  gate:
    cmd: python stage.py gate
    deps: [artifacts/train]
    outs: [artifacts/gate]
  publish:
    cmd: python stage.py publish
    deps: [artifacts/gate]
    outs: [artifacts/publish]
"""

ROLLOUT = """\
import sys
print(f"{sys.argv[1]}: nothing to bring out")
"""


def _shell(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="session")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    (folder / "dvc.yaml").write_text(DVC_YAML)
    (folder / "stage.py").write_text(STAGE)
    (folder / "pipeline").mkdir()
    (folder / "pipeline" / "__init__.py").touch()
    (folder / "pipeline" / "__main__.py").write_text(ROLLOUT)
    for name in ("dags", "plugins"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    _shell(folder, "git", "init", "-q")
    dvc = [sys.executable, "-m", "dvc"]
    _shell(folder, *dvc, "init", "-q")
    _shell(folder, *dvc, "config", "core.analytics", "false")
    _shell(folder, *dvc, "config", "core.check_update", "false")
    return folder


@pytest.fixture
def checkout(_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh one; RETRAIN_HOME names it."""
    folder = tmp_path / "checkout"
    shutil.copytree(_template, folder, symlinks=True)
    for name in list(os.environ):
        if name.startswith(("AIRFLOW", "PIPELINE_PYTHON", "UNTIL")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("RETRAIN_HOME", str(folder))
    return folder
