"""Who races: this runtime, and each peer in three dresses."""

from dataclasses import dataclass
from collections.abc import Mapping

OURS = "this runtime"
NAMES = {"fastapi": "FastAPI", "litserve": "LitServe", "bentoml": "BentoML", "mosec": "mosec", "ray": "Ray Serve"}
# A dress is the program, and how it prepares pixels.
DRESSES = {"first page": ("first", "pillow"), "tuned": ("tuned", "pillow"), "our preprocessing": ("tuned", "ours")}


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


def runtime(dress: str = "", *flags: str) -> Entrant:
    paths = {"json": "/v1/predict", "raw": "/v1/predict"}
    return Entrant(OURS, dress, "runtime", "", "ours", paths, flags)


def entrant(peer: str, dress: str) -> Entrant:
    program, prepares = DRESSES[dress]
    # LitServe has one route for a worker; its body says what it is.
    raw = {} if program == "first" else {"raw": "/json" if peer in ("litserve", "ray") else "/raw"}
    return Entrant(NAMES[peer], dress, peer, f"{peer}_{program}", prepares, {"json": "/json"} | raw)
