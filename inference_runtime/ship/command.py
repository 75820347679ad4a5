"""The words of `python -m inference_runtime ship`."""

import argparse
from pathlib import Path
from typing import Any

EPILOG = """The store gets the layout that a journal has: images/, then segments/. A segment is shipped once,
by its name; killed at any point, the next run goes on. s3:// reads AWS_* and AWS_ENDPOINT_URL, and needs
pip install 'retrain-72[ship]'."""


def add(commands: Any) -> None:
    command: argparse.ArgumentParser = commands.add_parser(
        "ship", help="send closed journal segments and their images to the store", epilog=EPILOG
    )
    command.add_argument("--journal", type=Path, required=True, metavar="DIR", help="what `serve` writes")
    command.add_argument("--store", required=True, metavar="DIR|s3://BUCKET/PREFIX", help="where it goes")
    command.add_argument("--follow", action="store_true", help="stay, and ship what closes later")
    command.add_argument(
        "--every", type=_seconds, default=10.0, metavar="SECONDS", help="between looks (default: %(default)g)"
    )
    command.add_argument(
        "--keep-days", type=_days, metavar="N", help="remove here what was shipped N days ago (default: keep)"
    )
    command.add_argument(
        "--connections", type=_connections, default=8, metavar="N", help="at once (default: %(default)s)"
    )
    command.add_argument(
        "--dry-run", action="store_true", help="say what would be shipped, and touch nothing"
    )


def run(given: argparse.Namespace) -> int:
    from inference_runtime.ship import run as shipping

    order = shipping.Order(
        given.journal, given.store, given.follow, given.every, given.keep_days, given.connections
    )
    if given.dry_run:
        segments, images, size = shipping.waiting(order)
        for segment in segments:
            print(segment.name)
        print(f"ship: {len(segments)} segments with {images} images, {size / 1e6:.1f} MB here, wait")
        return 0
    shipping.progress_to_stderr()
    print(f"ship: {shipping.summary(shipping.run(order))} to {given.store}")
    return 0


def _days(text: str) -> float:
    return _number(text, 0.0, "no number of days")


def _seconds(text: str) -> float:
    return _number(text, 0.1, "no number of seconds from 0.1")


def _connections(text: str) -> int:
    return int(_number(text, 1, "no number from 1"))


def _number(text: str, least: float, wrong: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not least <= number < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is {wrong}")
    return number
