"""Fills a FiftyOne dataset in forked children of a process that has imported FiftyOne, so that kills hit the
work.

One JSON line in, {"dataset", "rows", "kill_after"}; one JSON line out, {"code", "seconds"}.
"""

import json
import os
import signal
import sys
import time
import traceback
from datetime import UTC, datetime


def main() -> None:
    from pipeline import fiftyone_view  # noqa: F401
    from pipeline.services import mongo

    with mongo.running():
        import fiftyone  # noqa: F401  # connects, and a child makes connections of its own

        print(json.dumps({"ready": True}), flush=True)
        for line in sys.stdin:
            print(json.dumps(run(**json.loads(line))), flush=True)


def run(dataset: str, rows: int, kill_after: float | None) -> dict[str, float]:
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        os._exit(attempt(dataset, rows))
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return {"code": os.waitstatus_to_exitcode(status), "seconds": time.monotonic() - began}


def attempt(dataset: str, rows: int) -> int:
    os.dup2(2, 1)
    try:
        from pipeline import fiftyone_view

        with fiftyone_view.opened(dataset) as view:
            view.upsert(table(rows))
            view.show_cases(cases(rows))
    except BaseException:  # noqa: BLE001  # the end of a process: reported, and told by its code
        traceback.print_exc()
        return 1
    return 0


def table(count: int):  # type: ignore[no-untyped-def]
    from pipeline import samples

    at = datetime(2026, 1, 2, tzinfo=UTC)
    rows = [
        {"image": f"{number:064x}", "source": "challenge", "tags": ["night"], "p": number % 97 / 97}
        | ({"label": number % 2, "labeler": "ann", "labelled_at": at} if number % 3 == 0 else {})
        for number in range(count)
    ]
    return samples.frame(rows, samples.PULLED)


def cases(count: int):  # type: ignore[no-untyped-def]
    import polars as pl

    some = table(count)[: count // 10].with_columns(reason=pl.lit("margin"), score=pl.lit(0.5))
    return some.filter(pl.col("label").is_null())


if __name__ == "__main__":
    main()
