"""What changes under a running stage is not booked as what it used."""

from pathlib import Path

import pytest

from inference_runtime.errors import Away
from pipeline import constancy

DVC = (
    "stages: {train: {cmd: x, params: [train], deps: [code.py, artifacts/assemble], outs: [artifacts/train]}}"
)


@pytest.fixture
def checkout(home: Path) -> Path:
    (home / "dvc.yaml").write_text(DVC)
    (home / "code.py").write_text("one")
    (home / "params.yaml").write_text("train: {seed: 1}\nmine: {seed: 1}\n")
    return home


def run(meanwhile: str = "", text: str = "") -> None:
    with constancy.kept("train", Path("params.yaml")):
        if meanwhile:
            Path(meanwhile).write_text(text)


def test_an_undisturbed_stage_counts(checkout: Path) -> None:
    run()
    run("params.yaml", "train: {seed: 1} # as before\nmine: {seed: 2}\n")  # another stage's
    run("other.py", "new")


@pytest.mark.parametrize(
    ("file", "text", "named"),
    [("code.py", "two", "code.py"), ("params.yaml", "train: {seed: 2}", "params.yaml: train")],
)
def test_a_change_is_named_and_worth_another_try(checkout: Path, file: str, text: str, named: str) -> None:
    with pytest.raises(Away, match=f"^{named}: changed while the stage ran"):
        run(file, text)


def test_code_that_is_gone_has_changed(checkout: Path) -> None:
    with pytest.raises(Away, match=r"^code.py: changed"), constancy.kept("train", Path("params.yaml")):
        (checkout / "code.py").unlink()


def test_without_dvc_there_are_no_books(home: Path) -> None:
    run()
