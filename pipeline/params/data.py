"""What comes in, and who may learn from it."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.params.section import Above, Count, Positive, Section, Share


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
    connections: Positive
    late_days: Positive
    trust: dict[str, Count]


Criterion = Literal[
    "margin", "entropy", "disagreement", "neighbours", "instability", "rarity", "novelty", "slice", "recent"
]


class Mine(Section):
    cases: Count
    random: Share
    quotas: dict[Criterion, Share]
    width: Annotated[float, Field(ge=1)]
    burst: Share
    cold: Count
    pool: Count
    known: Count
    views: Positive
    half_life_days: Above
    doubt: Share
    mistakes: Count
    seed: int


class Kin(Section):
    looked: Positive
    near: Share
    likeness: Share


class Faults(Section):
    tiny: Count
    dark: float
    blank: float
    blurred: float


class Suspects(Section):
    folds: Annotated[int, Field(ge=2)]
    rounds: Positive
    review: Count


class Drift(Section):
    recent_days: Positive
    reference_days: Positive
    least: Positive
    most: Positive
    moved: float
    auc: Share


class Quality(Section):
    faults: Faults
    suspects: Suspects
    drift: Drift


class Proof(Section):
    rows: Positive
    slice_rows: Positive


Ratio = Annotated[float, Field(ge=0)]


class Mix(Section):
    hard: Ratio | None
    synthetic: Ratio | None
    pseudo: Ratio | None


Source = Literal["champion", "shadow", "teacher"]


class Pseudo(Section):
    sources: Annotated[tuple[Source, ...], Field(strict=False)]
    teacher: str | None
    precision: Share
    least: Positive
    weight: float


class Assemble(Section):
    dev: Share
    synthetic_weight: float
    mistake_weight: float
    mix: Mix
    pseudo: Pseudo
    proof: Proof
