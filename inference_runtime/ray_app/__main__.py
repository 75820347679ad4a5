"""`python -m inference_runtime.ray_app`: bundles served by replicas that come and go with the load."""

import argparse
import signal
import sys
import threading
from pathlib import Path

from inference_runtime.bundle import load
from inference_runtime.errors import Fixable

GET_IT = "pip install 'retrain-72[ray]', or make env-ray"


def main(arguments: list[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    try:
        bundles = dict(_named(text) for text in given.bundle)
        for folder in bundles.values():
            load(Path(folder))  # said here, in one line, and not by every replica
        return _serve(given, bundles)
    except Fixable as error:
        print(f"inference_runtime: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m inference_runtime.ray_app", description=__doc__)
    flag = parser.add_argument
    flag("--bundle", action="append", required=True, metavar="[NAME=]DIR",
         help="once or more; the header serve_multiplexed_model_id names one, else the first")  # fmt: skip
    flag("--journal", metavar="DIR", help="where each machine keeps its answers (default: nowhere)")
    flag("--replicas", default="1-4", metavar="LEAST-MOST", help="(default: %(default)s)")
    flag("--ongoing", type=float, default=2.0, metavar="N",
         help="requests per replica to scale for (default: %(default)g)")  # fmt: skip
    flag("--address", help="of a running Ray cluster (default: a Ray of its own)")
    flag("--host", default="127.0.0.1", help="(default: %(default)s)")
    flag("--port", type=int, default=8072, help="(default: %(default)s)")
    parser.epilog = f"It needs Ray, in an environment of its own: {GET_IT}."
    return parser


def _serve(given: argparse.Namespace, bundles: dict[str, str]) -> int:
    try:
        import ray
        from ray import serve

        from inference_runtime.ray_app.application import Scale, application
    except ModuleNotFoundError as error:
        raise Fixable(f"ray_app: {error.name} is not here; {GET_IT}") from None

    scale = Scale(*_range(given.replicas), given.ongoing)
    journal = str(Path(given.journal).resolve()) if given.journal else None
    ray.init(address=given.address, include_dashboard=False, log_to_driver=False)
    try:
        serve.start(http_options=serve.HTTPOptions(host=given.host, port=given.port))
        serve.run(application(bundles, journal, scale))
        print(
            f"inference_runtime: serving {', '.join(bundles)} on http://{given.host}:{given.port}", flush=True
        )
        _wait()
    finally:
        serve.shutdown()
        ray.shutdown()
    return 0


def _wait() -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()


def _named(text: str) -> tuple[str, str]:
    name, equals, folder = text.rpartition("=")
    place = Path(folder).resolve()
    return (name if equals else place.name), str(place)


def _range(text: str) -> tuple[int, int]:
    least, _, most = text.partition("-")
    try:
        found = int(least), int(most or least)
    except ValueError:
        found = 0, 0
    if not 1 <= found[0] <= found[1]:
        raise Fixable(f"--replicas: {text!r} is no range; write it like 1-4")
    return found


if __name__ == "__main__":
    sys.exit(main())
