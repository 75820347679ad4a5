"""What is measured, and for how long."""

from dataclasses import dataclass

EVERY = ("first page", "tuned", "our preprocessing")
RACING = ("tuned", "our preprocessing")


@dataclass(frozen=True)
class Cell:
    """A closed loop of `clients`, or an open one with `share` of the slowest tuned peer's throughput."""

    mode: str
    clients: int
    share: float = 0.0
    longer: float = 1.0  # than the others: a headline needs a calm word

    @property
    def title(self) -> str:
        return f"{self.mode} open" if self.share else f"{self.mode} {self.clients}"


@dataclass(frozen=True)
class Plan:
    peers: tuple[str, ...]
    cells: tuple[Cell, ...]
    rounds: int
    starts: int
    model_rounds: int
    pictures: int
    seconds: float
    warm: float
    floor_seconds: float
    dresses: tuple[str, ...] = RACING
    tails: "Plan | None" = None  # who comes near races again, for p99s that tell one from another


MODES = ("json", "raw")
HEADLINE = Cell("json", 32)
OPEN_CLIENTS = 256
# Without the slow ones, half of the slowest is a pace that keeps a machine busy.
TAILS = Plan(
    peers=("fastapi", "mosec"),
    cells=(
        *(cell for mode in MODES for cell in (Cell(mode, 1), Cell(mode, OPEN_CLIENTS, 0.5, longer=1.5))),
        Cell("raw", 32),
    ),
    rounds=12,
    starts=1,
    model_rounds=0,
    pictures=16,
    seconds=4.0,
    warm=0.3,
    floor_seconds=0.3,
    dresses=("our preprocessing",),
)
FULL = Plan(
    peers=("fastapi", "litserve", "bentoml", "mosec", "ray"),
    cells=(
        *(Cell(mode, clients, longer=3) for mode in MODES for clients in (1, 32)),
        *(Cell(mode, clients) for mode in MODES for clients in (8, 128)),
        *(Cell(mode, OPEN_CLIENTS, 0.5, longer=3) for mode in MODES),
    ),
    rounds=3,
    starts=2,
    model_rounds=2,
    pictures=16,
    seconds=1.4,
    warm=0.3,
    floor_seconds=0.4,
    tails=TAILS,
)
QUICK = Plan(
    peers=("fastapi", "mosec"),
    cells=(Cell("json", 1), HEADLINE, Cell("raw", 32)),
    rounds=1,
    starts=1,
    model_rounds=0,
    pictures=8,
    seconds=0.9,
    warm=0.2,
    floor_seconds=0.15,
)
