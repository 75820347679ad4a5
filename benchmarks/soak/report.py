"""What half an hour came to."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.soak.ledger import Ledger
from benchmarks.soak.trouble import Watch

SETTLED = 0.15  # of the time: pools and caches have filled
FAULTS = ("wrong", "dropped", "refused", "unexpected")


def figures(ledgers: Sequence[Ledger], kept: Mapping[str, Mapping[str, int]], watch: Watch) -> dict[str, Any]:
    def total(key: str) -> int:
        return sum(ledger.counts[key] for ledger in ledgers)

    def stored(key: str) -> int:
        return sum(one[key] for one in kept.values())

    early, late = memory(watch, "steady")
    return {
        "answered_right": total("right"),
        **{fault: total(fault) for fault in FAULTS},
        "lost_in_a_kill": total("lost in a kill"),
        "busy": total("busy"),
        "late": total("late"),
        "cancelled": total("cancelled"),
        "bursts": total("bursts"),
        "swaps": total("swaps"),
        "swaps_refused": total("swaps refused"),
        "kills": sum(ledger.replica.kills for ledger in ledgers),
        "ship_kills": sum(ledger.replica.ship_kills for ledger in ledgers),
        "promised": stored("promised"),
        "stored": stored("stored"),
        "entries_lost": stored("lost"),
        "entries_doubled": stored("doubled"),
        "entries_altered": stored("altered"),
        "images_missing": stored("images missing"),
        "memory_early_mib": early,
        "memory_late_mib": late,
        "restart_s": restart_seconds(ledgers),
    }


def rows(
    ledgers: Sequence[Ledger], kept: Mapping[str, Mapping[str, int]], watch: Watch
) -> list[dict[str, Any]]:
    return [
        {
            "replica": ledger.replica.name,
            "counts": dict(ledger.counts),
            "journal": dict(kept[ledger.replica.name]),
            "faults": ledger.faults[:20],
            "mib_each_minute": [round(mib) for _, mib in watch.seen[ledger.replica.name][::60] if mib == mib],
        }
        for ledger in ledgers
    ]


def memory(watch: Watch, name: str) -> tuple[float, float]:
    """The median after settling, and at the end."""
    points = np.array(watch.seen[name])
    seconds, mib = points[:, 0], points[:, 1]
    end = seconds.max()
    early = mib[(seconds > SETTLED * end) & (seconds < 0.4 * end)]
    late = mib[seconds > 0.8 * end]
    return float(np.median(early[~np.isnan(early)])), float(np.median(late[~np.isnan(late)]))


def restart_seconds(ledgers: Sequence[Ledger]) -> float | None:
    """The median time from a kill to ready again."""
    down = [end - begin for ledger in ledgers for begin, end in ledger.replica.down if end < float("inf")]
    return float(np.median(down)) if down else None


def show(ledgers: Sequence[Ledger], kept: Mapping[str, Mapping[str, int]]) -> None:
    for ledger in ledgers:
        print(f"\n{ledger.replica.name}")
        for key, count in sorted(ledger.counts.items()):
            print(f"  {key:<24}{count:>8}")
        for key, count in kept[ledger.replica.name].items():
            print(f"  journal, {key:<15}{count:>8}")
        for fault in ledger.faults[:20]:
            print(f"  ! {fault}")


def plot(watch: Watch, ledgers: Sequence[Ledger], file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 4))
    for name, colour in (("killed", "#74c0fc"), ("steady", "#d9480f")):
        points = np.array(watch.seen[name])
        label = "never killed" if name == "steady" else "killed every minute"
        axes.plot(points[:, 0] / 60, points[:, 1], color=colour, linewidth=1.6, label=label)
    axes.set(xlabel="minutes", ylabel="MiB (PSS) of the server", ylim=(0, None))
    swaps = sum(ledger.counts["swaps"] for ledger in ledgers)
    axes.set_title(f"Mixed load, {swaps} swaps of the bundle", fontsize=10, loc="left")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(file, dpi=130)
