"""The table of faults holds what people ask for, and each row names tests that exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TABLE = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in (ROOT / "docs" / "faults.md").read_text().splitlines()
    if line.startswith("|") and "::" in line
]
ASKED = (
    *("MongoDB down", "store down", "disk full", "hub down", "painter down", "no new data", "no labels"),
    *("clock jump", "two triggers at once", "code changed mid-run", "secret missing"),
)


def test_every_fault_that_is_asked_for_has_a_row() -> None:
    assert not set(ASKED) - {row[0].lstrip("| ") for row in TABLE}


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0].lstrip("| "))
def test_a_row_says_what_happens_what_is_seen_and_which_tests_show_it(row: list[str]) -> None:
    assert len(row) == 4 and all(row)
    named = re.findall(r"`(tests/\S+\.py)::(\w+)`", row[3])
    assert named, row[3]
    assert [f"{file}::{name}" for file, name in named if name not in functions(ROOT / file)] == []


def functions(file: Path) -> set[str]:
    return {one.name for one in ast.walk(ast.parse(file.read_text())) if isinstance(one, ast.FunctionDef)}
