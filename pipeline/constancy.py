"""DVC books what a stage depends on when the stage ends: what changed meanwhile would be booked as used."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from inference_runtime.errors import Away

DVC = Path("dvc.yaml")


@contextmanager
def kept(stage: str, params: Path) -> Iterator[None]:
    """Refuses the work of a stage whose code or numbers changed under it; the next try has the new ones."""
    before = _seen(stage, params)
    yield
    now = _seen(stage, params)
    if changed := sorted(name for name in before if before[name] != now.get(name)):
        raise Away(f"{changed[0]}: changed while the stage ran; run it again, with things as they are now")


def _seen(stage: str, params: Path) -> dict[str, Any]:
    """All code, and every section of numbers, that dvc.yaml names for the stage."""
    if not DVC.is_file():
        return {}
    described: dict[str, Any] = yaml.safe_load(DVC.read_text())["stages"][stage]
    numbers = yaml.safe_load(params.read_text())
    sections = {f"{params}: {name}": numbers.get(name) for name in described.get("params", ())}
    return sections | {name: _digest(Path(name)) for name in described["deps"] if Path(name).suffix == ".py"}


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else "gone"
