"""What validators would send: gold under every profile, and streets painted tonight that nobody has seen."""

import hashlib
from collections.abc import Sequence
from functools import partial

import numpy as np
import polars as pl

from pipeline import challenge
from pipeline.gate import contest
from pipeline.gate.contest import View
from pipeline.gate.paired import Flags
from pipeline.world import base
from pipeline.world.paint import paint
from pipeline.world.scene import Scene, tags

PAINTED = "painted"


def beside(gold: pl.DataFrame, count: int, streets: int, challenger: str) -> list[View]:
    """What a replica has besides gold's own views: some of gold under the other profiles, and streets.

    The streets hang on the challenger: every night other ones, and the same ones when a night is run again.
    """
    some = gold.with_columns(turn=pl.col("image").map_elements(_turn, pl.String)).sort("turn").head(count)
    others = [
        view
        for profile in challenge.PROFILES
        for view in contest.views(some.filter(pl.col("profile") != profile).drop("turn"), profile)
    ]
    return others + [_street(challenger, number) for number in range(streets)]


def painted(views: Sequence[View]) -> Flags:
    return np.array([view.source == PAINTED for view in views], np.bool_)


def _turn(image: str) -> str:
    return hashlib.sha256(f"replica{image}".encode()).hexdigest()


def _street(challenger: str, number: int) -> View:
    drawn = base.nth(challenge.seed_of(challenger, "replica") % 2**31, number, "traffic")
    profile = challenge.PROFILES[number % len(challenge.PROFILES)]
    name = f"{challenger}/street/{number}"
    sent = partial(_sent, drawn, profile, name)
    return View(name, name, drawn.label, PAINTED, profile, tuple(tags(drawn)), sent)


def _sent(drawn: Scene, profile: str, name: str) -> bytes:
    seed = challenge.seed_of(name, contest.name(profile))
    return challenge.encode(challenge.view(paint(drawn), profile, seed))
