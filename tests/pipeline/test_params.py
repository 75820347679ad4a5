"""Every number is checked at the door; a wrong one is a line that names file, key and remedy."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from inference_runtime.errors import Fixable
from pipeline import params

SHIPPED = Path(__file__).parents[2] / "params.yaml"


def changed(key: str, value: Any) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load(SHIPPED.read_text())
    section, _, name = key.partition(".")
    values[section][name] = value
    return values


def test_one_night_may_paint_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.params.tonight import tonight

    shipped = params.load(SHIPPED)
    assert tonight(shipped) is shipped
    monkeypatch.setenv("PAINTER", "sdxl")
    assert tonight(shipped).synthesize.painters == ("sdxl",)
    monkeypatch.setenv("PAINTER", "crayon")
    with pytest.raises(Fixable, match="PAINTER: 'crayon' paints nothing; known are procedural"):
        tonight(shipped)


def test_the_shipped_file_is_valid() -> None:
    assert params.load(SHIPPED).backbone.name == "efficientnet-lite0"


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("mine.casses", 3, r"params\.yaml: mine\.casses: unknown key; remove it or correct its spelling"),
        ("mine.cases", "many", r"params\.yaml: mine\.cases: .*integer.*, not 'many'"),
        ("mine.cases", 2.5, r"params\.yaml: mine\.cases: .*integer.*2\.5"),
        ("mine.random", 1.5, r"params\.yaml: mine\.random: .*less than or equal to 1.*1\.5"),
        ("synthesize.painters", ["dali"], r"params\.yaml: synthesize\.painters\.0: .*'procedural'.*'dali'"),
        ("publish.name", "road.work", r"params\.yaml: publish\.name: .*pattern.*road\.work"),
    ],
)
def test_a_wrong_value_is_named(key: str, value: Any, says: str) -> None:
    with pytest.raises(Fixable, match=says) as error:
        params.parse(changed(key, value))
    assert "\n" not in str(error.value)


def test_a_missing_key_is_named() -> None:
    values = yaml.safe_load(SHIPPED.read_text())
    del values["gate"]["bar"]
    with pytest.raises(Fixable, match=r"gate\.bar: missing; add it"):
        params.parse(values)


def test_a_file_that_is_no_yaml_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_text("pull: [1,\nmine: }")
    with pytest.raises(Fixable, match=r"params\.yaml: not YAML") as error:
        params.load(file)
    assert "\n" not in str(error.value)


def test_an_absent_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(Fixable, match="not found; run from the folder that holds it"):
        params.load(tmp_path / "params.yaml")
