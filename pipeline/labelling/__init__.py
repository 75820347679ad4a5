"""python -m pipeline label: where people look at pictures and say what they show."""

import argparse
from pathlib import Path

ABOUT = "open the review queue in the browser, or carry it to Label Studio and back"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser("label", help=ABOUT, description=ABOUT)
    way = command.add_mutually_exclusive_group()
    way.add_argument("--export", type=Path, metavar="FILE", help="the queue as tasks of Label Studio (JSON)")
    way.add_argument(
        "--import", type=Path, metavar="FILE", dest="handed", help="an export of Label Studio, or a CSV file"
    )
    about = "drop FiftyOne's dataset and make it anew from the tables; what people said is kept"
    way.add_argument("--rebuild", action="store_true", help=about)
    command.add_argument(
        "--images",
        metavar="PREFIX",
        help="with --export: address of the folder var/images (default: embedded)",
    )
    command.set_defaults(do=_do)


def _do(given: argparse.Namespace) -> None:
    from pipeline import params
    from pipeline.labelling import handing, queue, rebuild

    numbers, artifacts = params.load(), Path("artifacts")
    if given.export:
        print(handing.exported(queue.tasks(numbers, artifacts), given.export, given.images))
    elif given.handed:
        print(handing.imported(given.handed, Path(numbers.people.labels)))
    elif given.rebuild:
        print(rebuild.rebuilt(numbers, artifacts))
    else:
        print(queue.opened(numbers))
