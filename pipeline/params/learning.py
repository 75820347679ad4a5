"""The network, the lesson and the files that leave with it."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from inference_runtime.preprocess import Filter, Preprocess
from pipeline.params.section import Above, Count, Numbers, Positive, Section, Share


class Backbone(Section):
    name: str
    revision: str | None
    width: Positive
    height: Positive
    filter: Filter = "bilinear"
    batch: Positive

    @property
    def spec(self) -> Preprocess:
        """What the network looks at."""
        return Preprocess(self.width, self.height, self.filter)


Kind = Literal["squares", "logistic", "linear", "mlp"]


Looks = Annotated[tuple[Literal["whole", "mirror", "middle"], ...], Field(min_length=1, strict=False)]


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
    looks: Looks
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


class Band(Section):
    low: Share
    high: Share
    blend: Share

    @model_validator(mode="after")
    def _in_order(self) -> "Band":
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


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
    cascade: Band
