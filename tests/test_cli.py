"""The command line: a thin skin that helps, and refuses in one line."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import stages

ROOT = Path(__file__).parent.parent


def ask(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, "-m", "pipeline", *words]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)


@pytest.fixture
def checkout(home: Path) -> Path:
    shutil.copy(ROOT / "params.yaml", home)
    shutil.copy(ROOT / "dvc.yaml", home)
    return home


def change(checkout: Path, old: str, new: str) -> None:
    file = checkout / "params.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of a refusal."""
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("retrain-72: ")]
    assert len(said) == 1, done.stderr
    return said[0]


def test_help_lists_every_stage() -> None:
    done = ask("--help", cwd=ROOT)
    assert done.returncode == 0
    assert all(stage in done.stdout for stage in stages.NAMES)


@pytest.mark.parametrize("stage", stages.NAMES)
def test_every_stage_has_help(stage: str) -> None:
    done = ask(stage, "--help", cwd=ROOT)
    assert done.returncode == 0 and "--artifacts" in done.stdout


def test_an_unknown_command_is_a_usage_error() -> None:
    assert ask("dance", cwd=ROOT).returncode == 2


def test_an_unknown_key_names_file_key_and_remedy(checkout: Path) -> None:
    change(checkout, "  cases: 100", "  casses: 100")
    assert "params.yaml: mine.casses: unknown key; remove it" in refused(ask("mine", cwd=checkout))


def test_a_wrong_type_names_file_key_and_value(checkout: Path) -> None:
    change(checkout, "  cases: 100", "  cases: many")
    assert "params.yaml: mine.cases: input should be a valid integer, not 'many'" in refused(
        ask("mine", cwd=checkout)
    )


def test_what_went_wrong_is_left_for_whoever_started_it(checkout: Path) -> None:
    sheet = checkout / "told.json"
    said = refused(ask("mine", cwd=checkout, TOLD=str(sheet)))
    assert json.loads(sheet.read_text()) == {"error": said.partition("mine: ")[2], "again": False}
    ask("pull", cwd=checkout, TOLD=str(sheet), FIFTYONE_DATABASE_URI="mongodb://127.0.0.1:9")
    assert not json.loads(sheet.read_text())["again"]  # its pictures are missing, and that comes first


def test_absent_pictures_say_where_to_get_some(checkout: Path) -> None:
    assert "params.yaml: pull.base: var/world/base not found" in refused(ask("pull", cwd=checkout))


def test_a_missing_mongodb_is_named_without_its_password(checkout: Path) -> None:
    from pipeline.world import base

    base.write_base(checkout / "var/world/base", 2, 1)
    base.write_base(checkout / "var/world/gold", 2, 2)
    (checkout / "var/journal").mkdir()
    uri = "mongodb://user:secret@127.0.0.1:9"
    done = ask("pull", cwd=checkout, FIFTYONE_DATABASE_URI=uri, TOLD=str(checkout / "told.json"))
    line = refused(done)
    assert json.loads((checkout / "told.json").read_text())["again"]  # it may be back in a minute
    assert "FIFTYONE_DATABASE_URI: 127.0.0.1:9 does not answer" in line
    assert "secret" not in done.stdout + done.stderr


def test_an_absent_upstream_names_the_stage_to_run(checkout: Path) -> None:
    assert "artifacts/pull: not there yet; run the stage pull first" in refused(ask("mine", cwd=checkout))


def test_the_quarantine_can_be_read_and_is_empty_once_mended(checkout: Path) -> None:
    from pipeline.world import base

    base.write_base(checkout / "var/world/base", 40, 1)
    base.write_base(checkout / "var/world/gold", 2, 2)
    (checkout / "var/journal").mkdir()
    change(checkout, "dataset: retrain-72", "dataset: null")
    broken = sorted((checkout / "var/world/base/images").iterdir())[3]
    whole = broken.read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    assert "labels.csv, line 5" in ask("pull", cwd=checkout).stderr
    done = ask("quarantine", cwd=checkout)
    assert done.returncode == 1
    assert "var/world/base/labels.csv, line 5" in done.stdout and "1 rows set aside" in done.stdout
    broken.write_bytes(whole)
    assert ask("pull", cwd=checkout).returncode == 0
    assert ask("quarantine", cwd=checkout).returncode == 0


def test_the_base_install_says_what_the_stages_need(checkout: Path) -> None:
    (checkout / "pydantic.py").write_text("raise ModuleNotFoundError(name='pydantic')")
    done = ask("pull", cwd=checkout)
    assert done.returncode == 1
    assert done.stderr.strip() == "retrain-72: pydantic is not installed; run `make setup`"


def test_a_gated_backbone_without_a_token_says_how_to_get_access(checkout: Path) -> None:
    change(checkout, "name: efficientnet-lite0", "name: facebook/dinov3-vits16-pretrain-lvd1689m")
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(checkout / "hf")}
    code = (
        "from pipeline import params, backbones\nfrom inference_runtime.errors import Fixable\n"
        "try: backbones.load(params.load().backbone)\nexcept Fixable as e: print(e)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=checkout,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert "params.yaml" in done.stdout and "backbone.name" in done.stdout and "HF_TOKEN" in done.stdout, done
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_one_line_and_loses_nothing(checkout: Path) -> None:
    from pipeline.world import base

    base.write_base(checkout / "var/world/base", 6, 1)
    base.write_base(checkout / "var/world/gold", 6, 2)
    (checkout / "var/journal").mkdir()
    change(checkout, "dataset: retrain-72", "dataset: null")
    assert ask("pull", cwd=checkout).returncode == 0
    before = (checkout / "artifacts/pull/samples.parquet").read_bytes()
    disk = checkout / "small"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True
    ).returncode:
        pytest.skip("this machine does not let root mount a small disk")
    try:
        line = refused(ask("pull", cwd=checkout, IMAGES=str(disk / "images")))
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert "no space left" in line and "nothing was lost" in line
    assert (checkout / "artifacts/pull/samples.parquet").read_bytes() == before
