"""`python -m pipeline cost`: the last nights, and each stage of one."""

from collections.abc import Iterable, Iterator

from pipeline.accounts import costs
from pipeline.accounts.runs import OK, Run
from pipeline.params import Prices

HEAD = f"{'seconds':>10} {'CPU':>9} {'GPU':>9} {'painters':>9} {'USD':>9}"


def nights(runs: Iterable[Run], prices: Prices, shown: int) -> Iterator[str]:
    yield f"{'night':<26} {HEAD}"
    for name, those in list(costs.nights(runs).items())[-shown:]:
        yield _line(name, 26, those, prices)


def stages(runs: list[Run], prices: Prices) -> Iterator[str]:
    yield f"{'stage':<14} {HEAD}  outcome"
    for stage in dict.fromkeys(run.stage for run in runs):
        those = [run for run in runs if run.stage == stage]
        yield f"{_line(stage, 14, those, prices)}  {_outcome(those)}"
    yield _line("the night", 14, runs, prices)


def brief(runs: list[Run], prices: Prices) -> str:
    """One line for the night's own summary."""
    spent = costs.total(runs, prices)
    parts = {"CPU": spent.cpu, "GPU": spent.gpu, "painters": spent.painters}
    said = ", ".join(f"{name} {usd:.4f}" for name, usd in parts.items() if usd) or "nothing was run"
    return f"cost {spent.usd:.4f} USD ({said})"


def _line(name: str, width: int, runs: list[Run], prices: Prices) -> str:
    spent, seconds = costs.total(runs, prices), sum(run.seconds for run in runs)
    figures = (spent.cpu, spent.gpu, spent.painters, spent.usd)
    return f"{name:<{width}} {seconds:>10.1f} " + " ".join(f"{usd:>9.4f}" for usd in figures)


def _outcome(runs: list[Run]) -> str:
    tries = f" at try {len(runs)}" if len(runs) > 1 else ""
    return runs[-1].outcome + (tries if runs[-1].outcome == OK else "")
