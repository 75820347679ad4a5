"""Whether a challenger wins, where it goes, and how it is watched."""

import re
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from pipeline.params.section import Count, Positive, Section, Share


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
