"""The words of `python -m pipeline cost` and `python -m pipeline metrics`."""

import argparse
from typing import Any

from pipeline import params


def add(commands: Any) -> None:
    about = "what the last nights cost, or each stage of one"
    cost: argparse.ArgumentParser = commands.add_parser("cost", help=about, description=about)
    cost.add_argument("--night", help="its stages; `last`, or a name of the first column")
    cost.add_argument("--nights", type=int, default=14, help="how many are shown (%(default)s)")
    cost.set_defaults(do=_cost)
    about = "the pipeline's figures, in the text form that Prometheus reads"
    metrics: argparse.ArgumentParser = commands.add_parser("metrics", help=about, description=about)
    metrics.add_argument("--port", type=int, help="serve them there; 0 takes a free one (else: print once)")
    metrics.add_argument("--host", default="127.0.0.1", help="(%(default)s)")
    metrics.set_defaults(do=_metrics)


def _cost(given: argparse.Namespace) -> None:
    from inference_runtime.errors import Fixable
    from pipeline.accounts import costs, runs, table

    prices, booked = params.load().prices, runs.all_of(runs.place())
    if given.night is None:
        print(*table.nights(booked, prices, given.nights), sep="\n")
        return
    known = costs.nights(booked)
    name = next(reversed(known), "") if given.night == "last" else given.night
    if name not in known:
        raise Fixable(f"--night {given.night}: no such night in {runs.place()}; `cost` lists them")
    print(*table.stages(known[name], prices), sep="\n")


def _metrics(given: argparse.Namespace) -> None:
    from pipeline.metrics import exporter

    if given.port is None:
        print(exporter.text(params.load()), end="")
    else:
        exporter.serve(params.load(), given.host, given.port)
