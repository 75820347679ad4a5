"""One machine, one client, one floor: where a server is measured."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.serving import models, pictures
from benchmarks.serving.companion import Companion
from benchmarks.serving.entrants import Entrant
from benchmarks.serving.load import Order
from benchmarks.serving.peers.work import Work
from benchmarks.serving.plans import Cell, Plan
from benchmarks.serving.servers import Server


@dataclass(frozen=True)
class Row:
    """One server in one cell of one round."""

    title: str
    name: str
    dress: str
    model: str
    cell: str
    round: int
    rps: float
    cpu_ms: float
    client_ms: float
    floor_ms: float
    ms: list[float]
    failed: int
    said: str


class Track:
    def __init__(self, folder: Path, plan: Plan, model: str) -> None:
        self._folder, self._plan, self._model = folder, plan, model
        self._bundle = models.sealed(model, folder / "bundles")
        self._photos = folder / f"pictures-{plan.pictures}-{model}"
        graph = str(self._bundle / "model.onnx")
        _refer(self._photos, plan.pictures, graph)
        self._load = Companion("load", str(self._photos))
        self._floor = Companion("floor", str(self._photos), graph)

    @contextmanager
    def serving(self, entrant: Entrant) -> Iterator[Server]:
        place = self._folder / "run" / entrant.title.replace(" ", "-").replace(",", "")
        place.mkdir(parents=True, exist_ok=True)
        server = Server(entrant, self._bundle, place, self._photos)
        try:
            yield server
        finally:
            server.stop()
            shutil.rmtree(place)

    def measure(self, server: Server, cell: Cell, round: int = 0, slowest: float = 0.0) -> Row:
        entrant = server.entrant
        floor = self._floor.ask(
            {"mode": cell.mode, "prepares": entrant.prepares, "seconds": self._plan.floor_seconds}
        )
        order = Order(
            server.port, entrant.paths[cell.mode], cell.mode, entrant.prepares, cell.clients,
            self._plan.seconds * cell.longer, self._plan.warm, cell.share * slowest, server.pids(),
        )  # fmt: skip
        outcome = self._load.ask(asdict(order))
        return _row(entrant, self._model, cell, round, outcome, floor["cpu_ms"])

    def jpegs(self) -> list[bytes]:
        return [file.read_bytes() for file in sorted(self._photos.glob("*.jpg"))]

    def close(self) -> None:
        self._load.stop()
        self._floor.stop()


def _row(
    entrant: Entrant, model: str, cell: Cell, round: int, outcome: dict[str, Any], floor_ms: float
) -> Row:
    right = outcome["ms"]
    failed = sum(outcome[kind] for kind in ("wrong", "refused", "broken", "unanswered"))
    each = 1000 / max(len(right), 1)
    return Row(
        title=entrant.title,
        name=entrant.name,
        dress=entrant.dress,
        model=model,
        cell=cell.title,
        round=round,
        rps=len(right) / max(outcome["seconds"], 1e-6),
        cpu_ms=outcome["server_cpu"] * each,
        client_ms=outcome["client_cpu"] * each,
        floor_ms=floor_ms,
        ms=right,
        failed=failed,
        said=outcome["said"],
    )


def _refer(photos: Path, count: int, graph: str) -> None:
    files = pictures.write(photos, count)
    answers = {
        prepares: [Work(1, graph, prepares).one(file.read_bytes())["p"] for file in files]
        for prepares in ("pillow", "ours")
    }
    (photos / "references.json").write_text(json.dumps(answers))
