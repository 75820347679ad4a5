"""The house is what its plan says: graph, params, signatures, imports and code deps agree."""

import subprocess
import sys
from pathlib import Path

import grimp
import pytest
import yaml

from pipeline import stages
from pipeline.params import Params

ROOT = Path(__file__).parent.parent
GRAPH = grimp.build_graph("pipeline", "inference_runtime")
# Services are processes around a stage: they change where it runs, never what it makes.
AROUND = "pipeline.services"


def described(stage: str) -> dict[str, list[str]]:
    return dict(yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"][stage])


def file_of(module: str) -> str:
    place = Path(*module.split("."))
    return str(place / "__init__.py" if (ROOT / place / "__init__.py").exists() else place.with_suffix(".py"))


def code_of(stage: str) -> set[str]:
    """Every file a stage may execute, found by following imports; empty packages say nothing."""
    seen: set[str] = set()
    waiting = {f"pipeline.{stage}"} | GRAPH.find_descendants(f"pipeline.{stage}")
    while waiting:
        module = waiting.pop()
        seen.add(module)
        imported = {m for m in GRAPH.find_modules_directly_imported_by(module) if not m.startswith(AROUND)}
        waiting |= imported - seen
    return {name for name in map(file_of, seen) if (ROOT / name).stat().st_size}


@pytest.mark.parametrize("stage", stages.NAMES)
def test_dvc_knows_all_code_and_all_inputs_of_a_stage(stage: str) -> None:
    expected = code_of(stage) | {f"artifacts/{name}" for name in stages.inputs(stage)}
    found = set(described(stage)["deps"])
    assert found == expected, (
        f"dvc.yaml: {stage}: add {sorted(expected - found)}, remove {sorted(found - expected)}"
    )


@pytest.mark.parametrize("stage", stages.NAMES)
def test_dvc_watches_the_params_a_stage_receives(stage: str) -> None:
    assert sorted(described(stage).get("params", [])) == sorted(stages.sections(stage))


@pytest.mark.parametrize("stage", stages.NAMES)
def test_a_stage_has_one_name(stage: str) -> None:
    assert described(stage)["cmd"] == f"python -m pipeline {stage}"
    assert described(stage)["outs"] == [f"artifacts/{stage}"]
    assert stage in Params.model_fields
    assert list(ROOT.glob(f"tests/pipeline/test_{stage}.py")), f"tests/pipeline/test_{stage}.py is missing"


def test_the_graph_holds_the_nine_stages_in_order() -> None:
    assert tuple(yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]) == stages.NAMES


@pytest.mark.parametrize("stage", ["pull", "champion"])
def test_what_looks_outside_always_runs(stage: str) -> None:
    assert described(stage)["always_changed"]


def test_every_section_of_the_shipped_params_is_known() -> None:
    assert set(yaml.safe_load((ROOT / "params.yaml").read_text())) == set(Params.model_fields)


def test_the_layers_hold() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "importlinter.cli", "lint"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_but_dags_and_plugins_imports_airflow() -> None:
    users = {file.relative_to(ROOT).parts[0] for file in ROOT.glob("[!.]*/**/*.py") if imports_airflow(file)}
    assert users - {"tests"} == {"dags", "plugins"}


def imports_airflow(file: Path) -> bool:
    lines = (line.strip() for line in file.read_text().splitlines())
    return any(line.startswith(("import airflow", "from airflow")) for line in lines)
