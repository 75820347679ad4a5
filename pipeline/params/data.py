"""What comes in, and who may learn from it."""

from pipeline.params.section import Count, Positive, Section, Share


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


class Mine(Section):
    cases: Count
    random: Share
    margin_pool: Positive
    mistakes: Count
    seed: int


class Proof(Section):
    rows: Positive
    slice_rows: Positive


class Assemble(Section):
    dev: Share
    synthetic_weight: float
    mistake_weight: float
    proof: Proof
