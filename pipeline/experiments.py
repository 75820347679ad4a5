"""Weights & Biases, for those who keep their nights there: offline, or online where there is a key."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inference_runtime.errors import Fixable
from pipeline import origin
from pipeline.progress import say

FOLDER = Path("var/wandb")
KEY = "params.yaml: train.trainer.wandb"


def offline() -> bool:
    """WANDB_MODE decides, and where it says nothing, whether there is a key."""
    default = "online" if os.environ.get("WANDB_API_KEY") else "offline"
    return os.environ.get("WANDB_MODE", default) != "online"


def client() -> Any:
    try:
        import wandb
    except ModuleNotFoundError:
        line = f"{KEY}: wandb is not installed; run `uv sync --inexact --extra wandb`, or set it to null"
        raise Fixable(line) from None
    FOLDER.mkdir(parents=True, exist_ok=True)
    return wandb


@contextmanager
def told(project: str | None, folder: Path) -> Iterator[None]:
    """When the stage is over, the numbers it left, and the run, commit and params they are of.

    Its absence is told before the work; whatever goes wrong there after it costs no stage.
    """
    if project is None:
        yield
        return
    wandb = client()
    yield
    try:
        _note(wandb, project, folder)
    except (wandb.Error, OSError) as error:
        say(f"experiments: {folder.name} is not told to Weights & Biases: {error}")


def _note(wandb: Any, project: str, folder: Path) -> None:
    made_with = {key: value for key, value in origin.told().items() if value}
    run = wandb.init(
        project=project,
        dir=FOLDER,
        mode="offline" if offline() else "online",
        name=f"{folder.name} {made_with.get('run', '')}".strip(),
        group=made_with.get("run"),
        job_type=folder.name,
        config=made_with,
        settings={"silent": True},
    )
    figures = json.loads((folder / "summary.json").read_text())
    run.log({f"{folder.name}/{key.replace(' ', '_')}": value for key, value in figures.items()})
    run.finish()
    wandb.teardown()  # which is what writes the last of it
