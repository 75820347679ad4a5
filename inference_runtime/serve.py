"""`python -m inference_runtime serve`: answer HTTP requests and journal every answer."""

import argparse
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from inference_runtime import keeping, memory

if TYPE_CHECKING:
    from inference_runtime.cascade import Second
    from inference_runtime.server import Settings
    from inference_runtime.shared_cache import Shared


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    serve = commands.add_parser("serve", help="answer HTTP requests and journal every answer")
    serve.add_argument("--bundle", type=Path, required=True, metavar="DIR", help="what answers")
    kept = serve.add_mutually_exclusive_group(required=True)
    kept.add_argument("--journal", type=Path, metavar="DIR", help="where answers are kept")
    kept.add_argument("--no-journal", action="store_true", help="keep none: nothing is learned from them")
    serve.add_argument("--host", default="127.0.0.1", help="(default: %(default)s)")
    serve.add_argument("--port", type=port, default=8072, help="0 takes a free one (default: %(default)s)")
    serve.add_argument("--threads", type=count, metavar="N", help="workers (default: one per CPU)")
    serve.add_argument(
        "--deadline-ms", type=count, default=10_000, metavar="MS", help="per request (default: %(default)s)"
    )
    serve.add_argument("--cache", type=int, default=4096, metavar="N", help="answers remembered; 0: none")
    serve.add_argument("--cache-url", metavar="URL",
                       help="and in redis://..., for all replicas (default: RUNTIME_CACHE_URL)")  # fmt: skip
    second = serve.add_mutually_exclusive_group()
    second.add_argument(
        "--cascade-bundle", type=Path, metavar="DIR", help="what doubtful images are shown to"
    )
    second.add_argument("--cascade-url", metavar="URL", help="or an OpenAI-compatible endpoint, as .../v1")
    serve.add_argument("--cascade-model", default="default", metavar="NAME", help="of the endpoint")
    serve.add_argument("--video-fps", type=float, default=1.0, metavar="N",
                       help="keyframes of a video looked at per second (default: %(default)g)")  # fmt: skip
    serve.add_argument("--video-seconds", type=float, default=60.0, metavar="N",
                       help="longest video (default: %(default)g)")  # fmt: skip
    serve.add_argument("--admin-host", default="127.0.0.1", help="(default: %(default)s)")
    serve.add_argument("--admin-port", type=port, default=8073, help="(default: %(default)s)")
    keeping.add(serve)
    serve.epilog = "RUNTIME_ADMIN_TOKEN in the environment opens the admin routes, on a port of their own."


def run(given: argparse.Namespace) -> int:
    import asyncio

    from inference_runtime.journal import Journal
    from inference_runtime.probe import loaded
    from inference_runtime.server import Server
    from inference_runtime.service import Service
    from inference_runtime.video import Sampling

    logging.basicConfig(level=logging.INFO, format="inference_runtime: %(message)s")
    threads = given.threads or _cpus()
    memory.keep(threads)
    predictor = loaded(given.bundle)
    second, shared = _second(given), _shared(given)
    sampling = Sampling(given.video_fps, given.video_seconds)
    journal = None if given.no_journal else Journal(given.journal, keeping.of(given))
    try:
        service = Service(predictor, journal, threads, second, given.cache, shared, sampling)
        asyncio.run(Server(service, _settings(given)).run())
    finally:
        if journal:
            journal.close()
    if journal:
        said = "stopped: %d answers journalled, %d shed; %d images shed"
        logging.info(said, journal.written, journal.shed, journal.images_shed)
    return 0


def port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port, 0 to 65535")
    return int(text)


def count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1")
    return int(text)


def _settings(given: argparse.Namespace) -> "Settings":
    from inference_runtime.server import Settings

    return Settings(
        *(given.host, given.port, given.admin_host, given.admin_port),
        token=os.environ.get("RUNTIME_ADMIN_TOKEN"),
        deadline_ms=given.deadline_ms,
    )


def _second(given: argparse.Namespace) -> "Second | None":
    from inference_runtime.cascade import OfBundle
    from inference_runtime.endpoint import Endpoint
    from inference_runtime.probe import loaded

    if given.cascade_bundle:
        return OfBundle(loaded(given.cascade_bundle))
    if given.cascade_url:
        return Endpoint(given.cascade_url, given.cascade_model, os.environ.get("RUNTIME_CASCADE_KEY"))
    return None


def _shared(given: argparse.Namespace) -> "Shared | None":
    from inference_runtime.shared_cache import Shared

    # An address may hold a password, and a command line is no place for one.
    url = given.cache_url or os.environ.get("RUNTIME_CACHE_URL")
    return Shared(url) if url else None


def _cpus() -> int:
    # The machine may have more than this process may use; only Linux can say.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
