"""A stage is a function of folders: what it needs is read off its signature."""

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path

from inference_runtime.errors import Fixable
from pipeline import drafts
from pipeline.params import Params, Section

NAMES = ("pull", "mine", "synthesize", "assemble", "train", "export", "champion", "gate", "publish")


def function(stage: str) -> Callable[..., None]:
    run: Callable[..., None] = importlib.import_module(f"pipeline.{stage}").run
    return run


def sections(stage: str) -> list[str]:
    """Sections of params.yaml the stage receives; `params` is its own."""
    wanted = _annotated(stage, Section)
    return [stage if name == "params" else name for name in wanted]


def inputs(stage: str) -> list[str]:
    """Stages whose folders it reads."""
    return [name for name in _annotated(stage, Path) if name != "out"]


def run(stage: str, params: Params, artifacts: Path) -> None:
    """Runs one stage; its folder changes only if the stage ends well."""
    given: dict[str, Section | Path] = {name: refuse_absent(artifacts / name) for name in inputs(stage)}
    for argument in _annotated(stage, Section):
        given[argument] = getattr(params, stage if argument == "params" else argument)
    with drafts.folder(artifacts / stage) as draft:
        function(stage)(**given, out=draft)


def refuse_absent(folder: Path) -> Path:
    if not folder.is_dir():
        raise Fixable(f"{folder}: not there yet; run the stage {folder.name} first")
    return folder


def _annotated(stage: str, kind: type) -> list[str]:
    signature = inspect.signature(function(stage), eval_str=True)
    return [name for name, p in signature.parameters.items() if issubclass(p.annotation, kind)]
