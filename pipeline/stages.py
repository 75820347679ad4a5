"""A stage is a function of folders: what it needs is read off its signature."""

import fcntl
import importlib
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    wanted = _annotated(function(stage), Section)
    return [stage if name == "params" else name for name in wanted]


def inputs(stage: str) -> list[str]:
    """Stages whose folders it reads."""
    return _folders(function(stage))


def run(stage: str, params: Params, artifacts: Path) -> None:
    """Runs one stage; its folder changes only if the stage ends well."""
    given = _given(function(stage), stage, params, artifacts)
    with alone(artifacts), drafts.folder(artifacts / stage) as draft:
        function(stage)(**given, out=draft)


@contextmanager
def alone(artifacts: Path) -> Iterator[None]:
    """One at a time in these artifacts: a stage, a copy of them, a tidying. Others wait."""
    artifacts.mkdir(parents=True, exist_ok=True)
    with (artifacts / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def preview(stage: str, params: Params, artifacts: Path) -> list[str]:
    """What the stage would do, in lines for a person; nothing is done."""
    look: Callable[..., list[str]] = importlib.import_module(f"pipeline.{stage}").preview
    return look(**_given(look, stage, params, artifacts))


def refuse_absent(folder: Path) -> Path:
    if not folder.is_dir():
        raise Fixable(f"{folder}: not there yet; run the stage {folder.name} first")
    return folder


def _given(
    call: Callable[..., object], stage: str, params: Params, artifacts: Path
) -> dict[str, Section | Path]:
    folders: dict[str, Section | Path] = {name: refuse_absent(artifacts / name) for name in _folders(call)}
    for argument in _annotated(call, Section):
        folders[argument] = getattr(params, stage if argument == "params" else argument)
    return folders


def _folders(call: Callable[..., object]) -> list[str]:
    return [name for name in _annotated(call, Path) if name != "out"]


def _annotated(call: Callable[..., object], kind: type) -> list[str]:
    signature = inspect.signature(call, eval_str=True)
    return [name for name, p in signature.parameters.items() if issubclass(p.annotation, kind)]
