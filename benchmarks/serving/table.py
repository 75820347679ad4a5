"""What the rows say: medians over rounds, ratios, and a table that a person reads."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np

from benchmarks.serving.entrants import OURS
from benchmarks.serving.plans import HEADLINE
from benchmarks.serving.race import Alone
from benchmarks.serving.tails import Ratios
from benchmarks.serving.track import Row

HEADINGS = f"{'req/s':>7}{'p50 ms':>8}{'p99 ms':>8}{'CPU ms':>8}{'floor':>7}{'share':>7}"


@dataclass(frozen=True)
class Line:
    """One server in one cell: medians over rounds, percentiles over all answers."""

    title: str
    name: str
    dress: str
    model: str
    cell: str
    rps: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    floor_ms: float
    floor_share: float
    client_ms: float
    answers: int
    failed: int
    said: str


def lines(rows: Sequence[Row]) -> list[Line]:
    keys = dict.fromkeys((row.model, row.cell, row.title) for row in rows)
    return [_line([row for row in rows if (row.model, row.cell, row.title) == key]) for key in keys]


def _line(rows: Sequence[Row]) -> Line:
    ms = np.array([one for row in rows for one in row.ms] or [np.nan])
    first = rows[0]
    return Line(
        title=first.title,
        name=first.name,
        dress=first.dress,
        model=first.model,
        cell=first.cell,
        rps=median(row.rps for row in rows),
        p50_ms=float(np.percentile(ms, 50)),
        p99_ms=float(np.percentile(ms, 99)),
        cpu_ms=median(row.cpu_ms for row in rows),
        floor_ms=median(row.floor_ms for row in rows),
        floor_share=median(row.floor_ms / row.cpu_ms if row.cpu_ms else 0.0 for row in rows),
        client_ms=median(row.client_ms for row in rows),
        answers=sum(len(row.ms) for row in rows),
        failed=sum(row.failed for row in rows),
        said=next((row.said for row in rows if row.said), ""),
    )


def figures(found: Sequence[Line], alone: Sequence[Alone], tails: Ratios | None = None) -> dict[str, Any]:
    """Throughput ratios above 1 and latency, memory and CPU ratios below 1 speak for this runtime.

    `tails` are the ratios of a longer race, by some of the peers.
    """
    longer = tails or {}
    held = {one.title: one for one in alone}
    headline, raw = HEADLINE.title, "raw 32"
    ours = _at(found, headline, OURS)[0]
    rival = max(_at(found, headline, dress="our preprocessing"), key=lambda line: line.rps)
    return {
        "ratio_best_peer_c32": _ahead(found, headline, "tuned"),
        "ratio_same_preprocessing_c32": _ahead(found, headline, "our preprocessing"),
        "floor_share_c32": ours.floor_share,
        "p99_ratio_c1": _worst(found, "json 1", "p99", longer),
        "memory_ratio": held[OURS].mib / held[rival.title].mib,
        "start_s": held[OURS].start_s,
        "ratio_best_peer_c32_raw": _ahead(found, raw, "tuned"),
        "ratio_same_preprocessing_c32_raw": min(_each(found, raw, "rps", longer, "our preprocessing")),
        "floor_share_c32_raw": _at(found, raw, OURS)[0].floor_share,
        "p99_ratio_open": _worst(found, "json open", "p99", longer),
        "p99_ratio_c1_raw": _worst(found, "raw 1", "p99", longer),
        "p99_ratio_open_raw": _worst(found, "raw open", "p99", longer),
        "cpu_ratio_c32": _worst(found, headline, "cpu", longer),
        "cpu_ratio_c32_raw": _worst(found, raw, "cpu", longer),
        "ratio_model_bound_c32": _ahead(found, headline, "tuned", "vit_tiny"),
        "failed": sum(line.failed for line in found),
    }


def _at(
    found: Sequence[Line], cell: str, name: str | None = None, dress: str | None = None, model: str = "nano"
) -> list[Line]:
    here = [line for line in found if (line.cell, line.model) == (cell, model)]
    if name == OURS:
        return [line for line in here if line.title == OURS]
    return [line for line in here if dress in (None, line.dress)]


def _ahead(found: Sequence[Line], cell: str, dress: str, model: str = "nano") -> float | None:
    ours = _at(found, cell, OURS, model=model)
    best = max((line.rps for line in _at(found, cell, dress=dress, model=model)), default=0.0)
    return ours[0].rps / best if ours and best else None


def _worst(found: Sequence[Line], cell: str, measure: str, longer: Ratios) -> float | None:
    """By the peer that comes nearest, or is ahead by most, in any dress."""
    return max(_each(found, cell, measure, longer), default=None)


def _each(
    found: Sequence[Line], cell: str, measure: str, longer: Ratios, dress: str | None = None
) -> list[float]:
    """This runtime's figure by that of each peer: in the longer race, if it was there."""
    ours = [_measured(line, measure) for line in _at(found, cell, OURS)]
    peers = [line for line in _at(found, cell, dress=dress) if line.name != OURS]
    here = {line.title: ours[0] / _measured(line, measure) for line in peers}
    told = {title: ratios[measure][0] for title, ratios in longer.get(cell, {}).items()}
    return list((here | told).values())


def _measured(line: Line, measure: str) -> float:
    return {"p99": line.p99_ms, "rps": line.rps, "cpu": line.cpu_ms}[measure]


def rounded(said: dict[str, Any]) -> dict[str, Any]:
    return {key: round(value, 3) if isinstance(value, float) else value for key, value in said.items()}


def records(found: Sequence[Line], alone: Sequence[Alone]) -> list[dict[str, Any]]:
    return [*(rounded(asdict(one)) for one in found), *(rounded(asdict(one)) for one in alone)]


def show(found: Sequence[Line], alone: Sequence[Alone]) -> None:
    for model, cell in dict.fromkeys((line.model, line.cell) for line in found):
        place = f"{model}, {cell}"
        print(f"\n{place:<32}{HEADINGS}")
        here = [line for line in found if (line.model, line.cell) == (model, cell)]
        for line in sorted(here, key=lambda line: -line.rps):
            print(_text(line))
    print(f"\n{'alone':<32}{'start s':>8}{'MiB':>7}")
    for one in sorted(alone, key=lambda one: one.mib):
        print(f"{one.title:<32}{one.start_s:>8.2f}{one.mib:>7.0f}")


def _text(line: Line) -> str:
    numbers = (
        f"{line.rps:>7.0f}{line.p50_ms:>8.1f}{line.p99_ms:>8.1f}{line.cpu_ms:>8.2f}{line.floor_ms:>7.2f}"
    )
    wrong = f"  {line.failed} failed: {line.said[:60]}" if line.failed else ""
    return f"{line.title:<32}{numbers}{line.floor_share:>7.2f}{wrong}"
