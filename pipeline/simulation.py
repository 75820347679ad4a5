"""The simulated network around an engine that has no other: pictures to start from, challenges, people."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from inference_runtime.errors import Fixable
from pipeline import hub as hubs
from pipeline import samples, stages
from pipeline.params import Params, parse
from pipeline.progress import say
from pipeline.services import runtime
from pipeline.world import base, people, validators

HOME = Path("var/world")
TRUTH = HOME / "truth.jsonl"


def seed(params: Params) -> None:
    """Base set, gold set and a first champion, where there are none; never beside the user's own base set."""
    if not Path(params.pull.base).is_relative_to(HOME):
        return
    world = params.world
    base.write_base(Path(params.pull.base), world.base, world.seed, "base")
    base.write_base(Path(params.pull.gold), world.gold, world.seed + 1, "traffic")
    Path(params.pull.journal).mkdir(parents=True, exist_ok=True)
    if not hubs.at(params.hub).releases():
        first_champion(params)


def first_champion(params: Params) -> None:
    """Trained on little, through the same nine stages as every other."""
    say("world: a first champion, trained on little")
    little, quiet = HOME / "first", HOME / "quiet"
    base.write_base(little, params.world.first, params.world.seed, "base")
    quiet.mkdir(exist_ok=True)
    modest = params.model_dump()
    modest["pull"] |= {"base": str(little), "journal": str(quiet)}
    modest["people"]["dataset"] = None
    modest["gate"] |= {"floor": 0.5, "parity_views": 64}
    for stage in stages.NAMES:
        stages.run(stage, parse(modest), HOME / "first-night")
    if not hubs.at(params.hub).releases():
        raise Fixable(f"{HOME}/first-night/gate/verdict.json: no first champion; see the reasons there")


def play(params: Params, count: int, url: str | None = None) -> float:
    """Challenges from simulated validators to the running runtime; what they would have paid."""
    address = url or runtime.url()
    if address is None:
        raise Fixable("--url: no runtime is up; start one with `make up`, or name one")
    return validators.play(address, count, params.world.seed + 2, TRUTH, validators.played(TRUTH))


def label(params: Params, artifacts: Path) -> int:
    """What `mine` selected is labelled in FiftyOne, as people would have done since."""
    from pipeline import fiftyone_view

    cases = samples.read(artifacts / "mine").filter(pl.col("label").is_null())["image"].to_list()
    said = people.answers(cases, TRUTH)
    if not said or params.people.dataset is None:
        return 0
    with fiftyone_view.opened(params.people.dataset) as view:
        labels = {image: answer.label for image, answer in said.items()}
        tags = {image: list(answer.tags) for image, answer in said.items()}
        view.say(labels, "world", datetime.now(UTC), tags)
    say(f"world: people labelled {len(said)} cases")
    return len(said)
