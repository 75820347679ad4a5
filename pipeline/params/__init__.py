"""Every number of a night, read once at the door and handed on in sections."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from inference_runtime.errors import Fixable
from pipeline.params.chores import Backup, Buffer, Tidy
from pipeline.params.data import (
    Age,
    Assemble,
    Criterion,
    Drift,
    Faults,
    Fresh,
    Kin,
    Mine,
    Mix,
    People,
    Proof,
    Pseudo,
    Pull,
    Quality,
    Suspects,
    World,
)
from pipeline.params.judging import Champion, Gate, Hub, Publish, Rollout
from pipeline.params.learning import Awq, Backbone, Budget, Budgets, Export, Kind, Lesson, Train
from pipeline.params.operating import Prices, Watch
from pipeline.params.painting import (
    Bedrock,
    Captions,
    Cosmos,
    CosmosService,
    Filter,
    PainterName,
    Sdxl,
    Synthesize,
)
from pipeline.params.section import Section

__all__ = [
    "Age",
    "Assemble",
    "Awq",
    "Backbone",
    "Backup",
    "Bedrock",
    "Budget",
    "Budgets",
    "Buffer",
    "Captions",
    "Champion",
    "Cosmos",
    "CosmosService",
    "Criterion",
    "Drift",
    "Export",
    "Faults",
    "Filter",
    "Fresh",
    "Gate",
    "Hub",
    "Kin",
    "Kind",
    "Lesson",
    "Mine",
    "Mix",
    "PainterName",
    "Params",
    "People",
    "Prices",
    "Proof",
    "Pseudo",
    "Publish",
    "Pull",
    "Quality",
    "Rollout",
    "Sdxl",
    "Section",
    "Suspects",
    "Synthesize",
    "Tidy",
    "Train",
    "Watch",
    "World",
    "load",
    "parse",
]


class Params(Section):
    backbone: Backbone
    hub: Hub
    world: World
    people: People
    fresh: Fresh
    kin: Kin
    quality: Quality
    age: Age
    pull: Pull
    mine: Mine
    synthesize: Synthesize
    assemble: Assemble
    train: Train
    export: Export
    champion: Champion
    gate: Gate
    publish: Publish
    rollout: Rollout
    prices: Prices
    watch: Watch
    buffer: Buffer
    backup: Backup
    tidy: Tidy


def load(file: Path = Path("params.yaml")) -> Params:
    return parse(_read(file), file.name)


def parse(values: Any, name: str = "params.yaml") -> Params:
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        raise Fixable("; ".join(_complaint(name, item) for item in error.errors())) from None


def _read(file: Path) -> Any:
    try:
        return yaml.safe_load(file.read_text())
    except FileNotFoundError:
        raise Fixable(f"{file}: not found; run from the folder that holds it") from None
    except yaml.YAMLError as error:
        raise Fixable(f"{file.name}: not YAML: {' '.join(str(error).split())}") from None


def _complaint(name: str, item: Any) -> str:
    key = ".".join(str(part) for part in item["loc"]) or "(the whole file)"
    match item["type"]:
        case "extra_forbidden":
            return f"{name}: {key}: unknown key; remove it or correct its spelling"
        case "missing":
            return f"{name}: {key}: missing; add it"
        case _:
            return f"{name}: {key}: {item['msg'][0].lower()}{item['msg'][1:]}, not {item['input']!r}"
