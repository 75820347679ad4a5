"""Items that no challenger has learned from, each asked once against a champion; the hub remembers which."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from inference_runtime import bundle
from pipeline import hub
from pipeline.gate import wealth
from pipeline.gate.contest import Answers
from pipeline.gate.wealth import Wealth


@dataclass(frozen=True)
class Ledger:
    """What other challengers have tried against this champion, in their order."""

    others: tuple[hub.Attempt, ...]

    @property
    def attempt(self) -> int:
        """The number of tonight's try on gold; a try that never came to gold has spent nothing."""
        return 1 + sum(one.gold for one in self.others)

    @property
    def spent(self) -> set[str]:
        return {image for one in self.others for image, _ in one.fresh}

    def grown(self, kin: str, tonight: Sequence[int]) -> Wealth:
        before = [(one.kin or "", [sign for _, sign in one.fresh]) for one in self.others]
        return wealth.grown([*before, (kin, tonight)])


def ledger(champion: Path) -> Ledger:
    told = json.loads((champion / "ledger.json").read_text())
    return Ledger(tuple(hub.attempt(one) for one in told))


def unspent(rolling: pl.DataFrame, spent: set[str]) -> pl.DataFrame:
    """In the order in which people spoke, one picture per family."""
    new = rolling.filter(~pl.col("image").is_in(list(spent)))
    return new.sort("labelled_at", "image").unique("family", keep="first", maintain_order=True)


def signs(answers: Answers) -> list[int]:
    """1 where only the challenger is right, -1 where only the champion is."""
    return [int(sign) for sign in answers.right.astype(int) - answers.right_before.astype(int)]


def kin(export: Path) -> str:
    """Heads on the same frozen network are kin: a day's labels lie between them. Another network is none."""
    manifest = bundle.load(export)
    backbone, spec = manifest.lineage.get("backbone", {}), manifest.preprocess
    network = f"{backbone.get('name')}@{str(backbone.get('weights'))[:12]}"
    return f"{network} {spec.width}x{spec.height} {spec.filter}"
