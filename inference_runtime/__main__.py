"""`python -m inference_runtime`: serve a bundle, ship its journal, ask it once, or verify it."""

import argparse
import json
import logging
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from inference_runtime import keeping
from inference_runtime.errors import Fixable
from inference_runtime.ship import command as ship

if TYPE_CHECKING:
    from inference_runtime.predictor import Predictor


def main(arguments: list[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    # Pillow warns about odd metadata; what strangers send must not fill the log.
    warnings.filterwarnings("ignore", module="PIL")
    try:
        match given.command:
            case "serve":
                return _serve(given)
            case "predict":
                return _predict(given.bundle, given.images)
            case "ship":
                return ship.run(given)
            case _:
                return _verify(given.folder)
    except Fixable as error:
        return _failed(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m inference_runtime", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="answer HTTP requests and journal every answer")
    serve.add_argument("--bundle", type=Path, required=True, metavar="DIR", help="what answers")
    serve.add_argument("--journal", type=Path, required=True, metavar="DIR", help="where answers are kept")
    serve.add_argument("--host", default="127.0.0.1", help="(default: %(default)s)")
    serve.add_argument("--port", type=_port, default=8072, help="0 takes a free one (default: %(default)s)")
    serve.add_argument("--threads", type=_count, metavar="N", help="workers (default: one per CPU)")
    serve.add_argument("--admin-host", default="127.0.0.1", help="(default: %(default)s)")
    serve.add_argument("--admin-port", type=_port, default=8073, help="(default: %(default)s)")
    keeping.add(serve)
    serve.epilog = "RUNTIME_ADMIN_TOKEN in the environment opens the admin routes, on a port of their own."

    ship.add(commands)

    predict = commands.add_parser("predict", help="one JSON line per image")
    predict.add_argument("--bundle", type=Path, required=True, metavar="DIR")
    predict.add_argument("images", type=Path, nargs="+", metavar="IMAGE")

    verify = commands.add_parser("verify", help="check every file of a bundle, and that it answers")
    verify.add_argument("folder", type=Path, metavar="DIR")
    return parser


def _serve(given: argparse.Namespace) -> int:
    import asyncio

    from inference_runtime.journal import Journal
    from inference_runtime.probe import loaded
    from inference_runtime.server import Server
    from inference_runtime.service import Service

    logging.basicConfig(level=logging.INFO, format="inference_runtime: %(message)s")
    threads = given.threads or _cpus()
    predictor = loaded(given.bundle)
    journal = Journal(given.journal, keeping.of(given))

    service = Service(predictor, journal, threads)
    addresses = (given.host, given.port), (given.admin_host, given.admin_port)
    try:
        asyncio.run(Server(service, *addresses, os.environ.get("RUNTIME_ADMIN_TOKEN")).run())
    finally:
        journal.close()
    said = "stopped: %d answers journalled, %d shed; %d images shed"
    logging.info(said, journal.written, journal.shed, journal.images_shed)
    return 0


def _cpus() -> int:
    # The machine may have more than this process may use; only Linux can say.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _predict(folder: Path, images: list[Path]) -> int:
    from inference_runtime.probe import loaded

    predictor = loaded(folder)
    return max([_predict_one(predictor, image) for image in images])


def _predict_one(predictor: "Predictor", file: Path) -> int:
    try:
        (answer,) = predictor.predict([file.read_bytes()])
    except OSError as error:
        return _failed(f"{file}: {error.strerror}")
    if isinstance(answer, Fixable):
        return _failed(f"{file}: {answer}")
    label = predictor.bundle.classes[answer.p > 0.5]
    shown = {"file": str(file), "p": answer.p, "label": label, "image": answer.image, "bundle": answer.bundle}
    print(json.dumps(shown), flush=True)
    return 0


def _verify(folder: Path) -> int:
    from inference_runtime.probe import loaded

    bundle = loaded(folder).bundle
    files = bundle.manifest["files"].values()
    held = f"{len(files)} file{'s'[: len(files) != 1]}, {sum(file['bytes'] for file in files) / 1e6:.1f} MB"
    print(f"{bundle.id}: {held}, {' and '.join(bundle.classes)}, version {bundle.version or 'none'}: sound")
    return 0


def _failed(reason: object) -> int:
    print(f"inference_runtime: {reason}", file=sys.stderr)
    return 1


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port, 0 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
