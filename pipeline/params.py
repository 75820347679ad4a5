"""Every number of a night, read once at the door and handed on in sections."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from inference_runtime.errors import Fixable

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Above = Annotated[float, Field(gt=0)]
# YAML has lists only; frozen wants a tuple.
Numbers = Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1, strict=False)]
Kind = Literal["logistic", "linear", "mlp"]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Backbone(Section):
    name: str
    revision: str | None
    width: Positive
    height: Positive
    batch: Positive


class Hub(Section):
    kind: Literal["folder", "huggingface"]
    repo: str

    @field_validator("repo")
    @classmethod
    def _names_a_repository(cls, repo: str, info: ValidationInfo) -> str:
        # As the subnet reads it: a dot in the name is refused there, after everything was uploaded.
        if info.data.get("kind") == "huggingface" and not re.fullmatch(r"[\w\-]+/[\w\-]+", repo):
            raise ValueError("must be owner/name, letters, digits, _ and - only")
        return repo


class World(Section):
    base: Positive
    gold: Positive
    first: Positive
    challenges: Count
    seed: int


class People(Section):
    dataset: str | None
    labels: str


class Fresh(Section):
    share: Share
    days: Count


class Age(Section):
    full_days: Count
    zero_day: Positive
    retrain_by: Count
    upload_by: Count
    promote: bool


class Pull(Section):
    journal: str
    base: str
    gold: str
    max_broken: Share


class Mine(Section):
    cases: Count
    random: Share
    margin_pool: Positive
    mistakes: Count
    seed: int


PainterName = Literal["procedural", "sdxl", "bedrock", "cosmos", "cosmos_service"]
Size = Annotated[int, Field(ge=16, multiple_of=8)]
Money = Annotated[float, Field(ge=0)]


class Sdxl(Section):
    model: str
    revision: str | None
    lora: str | None
    steps: Positive
    guidance: float
    strength: Share
    width: Size
    height: Size
    batch: Positive
    offload: bool


class Bedrock(Section):
    region: str
    text: str
    image: str
    add: str
    remove: str
    strength: Share
    attempts: Positive
    timeout: Positive
    prices: dict[str, Money]


class Cosmos(Section):
    model: str
    revision: str | None
    control: Literal["edge"]
    control_revision: str | None
    steps: Positive
    guidance: float
    width: Size
    height: Size
    offload: bool


class CosmosService(Section):
    url: str
    resolution: str
    steps: Positive
    guidance: float
    timeout: Positive
    usd: Money


class Captions(Section):
    url: str | None
    model: str
    timeout: Positive


class Filter(Section):
    min_contrast: float
    min_sharpness: float
    near: Share
    stray: Share
    disagree: Share
    unchanged: Share


class Synthesize(Section):
    painters: Annotated[tuple[PainterName, ...], Field(strict=False)]
    images: Count
    seconds: Positive
    usd: Money
    aim: Share
    seed: int
    filter: Filter
    captions: Captions
    sdxl: Sdxl
    bedrock: Bedrock
    cosmos: Cosmos
    cosmos_service: CosmosService


class Proof(Section):
    rows: Positive
    slice_rows: Positive


class Assemble(Section):
    dev: Share
    synthetic_weight: float
    mistake_weight: float
    proof: Proof


class Lesson(Section):
    balance: bool
    selection: Share
    smoothing: Annotated[float, Field(ge=0, lt=1)]
    focal: Annotated[float, Field(ge=0)]
    mixup: Annotated[float, Field(ge=0)]
    curriculum: Count
    teacher: str | None
    teacher_share: Share


class Trainer(Section):
    precision: Literal["32-true", "bf16-mixed"]
    compile: bool
    processes: Positive
    keep_every: Annotated[float, Field(ge=0)]
    wandb: str | None


class Train(Section):
    views: Positive
    folds: Annotated[int, Field(ge=2)]
    seeds: Positive
    heads: Annotated[tuple[Kind, ...], Field(min_length=1, strict=False)]
    weight_decays: Numbers
    rates: Numbers
    hidden: Positive
    batch: Positive
    epochs: Positive
    patience: Positive
    watch: Literal["loss", "mcc"]
    simplest: bool
    seed: int
    lesson: Lesson
    trainer: Trainer


class Budget(Section):
    logit: Above
    flips: Share
    clear_flips: Share
    reward: Share


class Budgets(Section):
    fp32: Budget
    fp16: Budget
    int8: Budget


class TensorRt(Section):
    precision: Literal["fp32", "fp16"]
    max_batch: Positive
    usual_batch: Positive
    workspace_mib: Positive


class Awq(Section):
    tool: Literal["llmcompressor", "autoawq"]
    model: str
    question: str
    cases: Positive
    group: Positive
    grid: Positive


class Export(Section):
    opset: Annotated[int, Field(ge=18, le=22)]
    also: Annotated[tuple[Literal["onnx-fp16", "onnx-int8", "torch", "tensorrt"], ...], Field(strict=False)]
    parity_views: Positive
    budgets: Budgets
    calibration_views: Positive
    int8_speedup: Above
    latency_runs: Positive
    tensorrt: TensorRt
    awq: Awq | None


class Champion(Section):
    pass


class Gate(Section):
    bar: Share
    alpha: Share
    floor: Share
    gold_share: Share
    screen: Share
    margin: Share
    slice_items: Positive
    aged_loss: Share
    parity_views: Positive
    parity_logit: float
    replica: Count
    painted: Count
    bootstrap: Positive
    latency_ms: float
    memory_mb: float
    size_mb: float
    seed: int


class Publish(Section):
    name: Annotated[str, Field(pattern=r"^[\w\-]+$")]
    description: str
    hotkey: str | None


class Rollout(Section):
    shadow: Count
    canary: Count
    share: Share
    watch: Count
    quiet: Annotated[float, Field(ge=0)]
    patience: Annotated[float, Field(ge=0)]
    poll: Annotated[float, Field(gt=0)]
    alpha: Share
    first_look: Positive
    disagreement: Share
    slack: Share
    positives: Share
    confidence: Share
    latency: Annotated[float, Field(ge=1)]
    latency_ms: Annotated[float, Field(ge=0)]
    accuracy_drop: Share
    cusum: Annotated[float, Field(gt=0)]


class Params(Section):
    backbone: Backbone
    hub: Hub
    world: World
    people: People
    fresh: Fresh
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
