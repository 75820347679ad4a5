"""What was asked, answered and promised; and whether the store holds it."""

import hashlib
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.soak.replica import Replica
from inference_runtime import images
from inference_runtime.entries import Broken, read, segments

TOLERANCE = 1e-4
BUSY, LATE = 429, 504  # both say in time that there will be no answer


@dataclass(frozen=True)
class Question:
    """A valid request: which picture, and the very bytes."""

    picture: int
    image: bytes
    asked: float


@dataclass
class Ledger:
    """`wanted` holds the right answer by bundle and picture."""

    replica: Replica
    wanted: Mapping[str, list[float]]
    counts: Counter[str] = field(default_factory=Counter)
    promised: dict[str, tuple[str | None, float]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def answered(self, question: Question, status: int, said: dict[str, Any]) -> None:
        if status in (BUSY, LATE):
            self.counts["busy" if status == BUSY else "late"] += 1
        elif status != 200:
            self._fault("refused", f"{status} {said}")
        elif self._is_right(question, said):
            self.counts["right"] += 1
            if said.get("entry", "") is None:
                self.counts["unpromised"] += 1
            else:
                self.promised[said["image"]] = said.get("entry"), said["p"]
        else:
            self._fault("wrong", f"picture {question.picture}: {said}")

    def lost(self, question: Question, now: float, error: BaseException) -> None:
        """The connection ended without an answer, which only a kill excuses."""
        if self.replica.was_down(question.asked, now):
            self.counts["lost in a kill"] += 1
        else:
            self._fault("dropped", repr(error))

    def misbehaved(self, kind: str, status: int, right: range | tuple[int, ...]) -> None:
        self.counts[f"{kind} {status}"] += 1
        if status not in right:
            self._fault("unexpected", f"{kind}: {status}")

    def _is_right(self, question: Question, said: dict[str, Any]) -> bool:
        wanted = self.wanted.get(said["bundle"])
        is_its_image = said["image"] == hashlib.sha256(question.image).hexdigest()
        return wanted is not None and is_its_image and abs(said["p"] - wanted[question.picture]) < TOLERANCE

    def _fault(self, kind: str, said: str) -> None:
        self.counts[kind] += 1
        self.faults.append(f"{self.replica.name}: {kind}: {said}"[:300])
        print(self.faults[-1], file=sys.stderr, flush=True)

    def kept(self) -> dict[str, int]:
        """Reads the store: what of the promised is there, once, as it was said, with its image."""
        lines, broken, found = _stored(self.replica.store)
        by_image = Counter(entry.image for entry in lines)
        ids = Counter(entry.id for entry in lines)
        first = {entry.image: entry for entry in lines}
        lost = [image for image in self.promised if image not in first]
        other = [
            image
            for image, (id, p) in self.promised.items()
            if image in first and (first[image].p != p or id not in (None, first[image].id))
        ]
        self.faults += [f"{self.replica.name}: not in the store: {image}" for image in lost[:5]]
        return {
            "promised": len(self.promised),
            "stored": len(lines),
            "lost": len(lost),
            "doubled": sum(n - 1 for n in by_image.values()) + sum(n - 1 for n in ids.values()),
            "altered": len(other) + broken,
            "images missing": sum(not images.place(found, image).exists() for image in self.promised),
        }


def _stored(store: Path) -> tuple[list[Any], int, Path]:
    everything = [one for segment in segments(store) for one in read(segment)]
    broken = sum(isinstance(one, Broken) for one in everything)
    return [one for one in everything if not isinstance(one, Broken)], broken, store / "images"
