"""Who races: this runtime, and each peer in three dresses."""

from collections.abc import Mapping
from dataclasses import dataclass

OURS = "this runtime"
NAMES = {
    "fastapi": "FastAPI",
    "litserve": "LitServe",
    "bentoml": "BentoML",
    "mosec": "mosec",
    "ray": "Ray Serve",
}
JOURNAL = ("--admin-port", "0", "--journal", "{folder}/journal")
ROUTES = {"json": "/v1/predict", "raw": "/v1/predict"}
# A dress is the program, and how it prepares pixels.
DRESSES = {
    "first page": ("first", "pillow"),
    "tuned": ("tuned", "pillow"),
    "our preprocessing": ("tuned", "ours"),
    "batching": ("batching", "pillow"),
}


@dataclass(frozen=True)
class Entrant:
    """`prepares` says which answers are right."""

    name: str
    dress: str
    peer: str
    program: str
    prepares: str
    paths: Mapping[str, str]
    flags: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return f"{self.name}, {self.dress}" if self.dress else self.name


def runtime() -> Entrant:
    """Keeping nothing, as no peer keeps anything."""
    return Entrant(OURS, "", "runtime", "", "ours", ROUTES, (*JOURNAL, "--journal-sample", "0"))


def journalling() -> Entrant:
    """Every image and answer synced to the disk before the answer goes out: the default."""
    return Entrant(OURS, "journalling", "runtime", "", "ours", ROUTES, JOURNAL)


def entrant(peer: str, dress: str) -> Entrant:
    program, prepares = DRESSES[dress]
    # LitServe has one route for a worker; its body says what it is.
    raw = {} if program == "first" else {"raw": "/json" if peer in ("litserve", "ray") else "/raw"}
    return Entrant(NAMES[peer], dress, peer, f"{peer}_{program}", prepares, {"json": "/json"} | raw)
