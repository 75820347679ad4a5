"""`python -m inference_runtime`: serve a bundle, ship its journal, ask it once, measure or verify it."""

import argparse
import json
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from inference_runtime import serve
from inference_runtime.bench import command as bench
from inference_runtime.errors import Fixable
from inference_runtime.miner import command as miner
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
                return serve.run(given)
            case "predict":
                return _predict(given.bundle, given.images)
            case "bench":
                return bench.run(given)
            case "ship":
                return ship.run(given)
            case "miner":
                return miner.run(given)
            case _:
                return _verify(given.folder)
    except Fixable as error:
        return _failed(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m inference_runtime", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    serve.add(commands)
    ship.add(commands)
    bench.add(commands)
    miner.add(commands)

    predict = commands.add_parser("predict", help="one JSON line per image")
    predict.add_argument("--bundle", type=Path, required=True, metavar="DIR")
    predict.add_argument("images", type=Path, nargs="+", metavar="IMAGE")

    verify = commands.add_parser("verify", help="check every file of a bundle, and that it answers")
    verify.add_argument("folder", type=Path, metavar="DIR")
    return parser


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


if __name__ == "__main__":
    sys.exit(main())
