"""The floor: the same work in one thread and no server around it.

`python -m benchmarks.serving.floor PICTURES MODEL` takes {"mode", "prepares", "seconds"}, one per line.
"""

import base64
import json
import sys
import time
from pathlib import Path

from benchmarks.serving.peers.work import Work
from benchmarks.serving.pictures import whole

QUOTE = b'"'


def image_of(request: bytes) -> bytes:
    """The bytes of the picture in a JSON request, found without reading the rest as JSON."""
    if request[:1] != b"{":
        return request
    end = request.rindex(QUOTE)
    return base64.b64decode(request[request.rindex(QUOTE, 0, end) + 1 : end])


def measure(work: Work, requests: list[bytes], seconds: float) -> dict[str, float]:
    """CPU and wall milliseconds per request, over whole turns through the requests."""
    done, wall, cpu = 0, time.perf_counter(), time.process_time()
    while (passed := time.perf_counter() - wall) < seconds or done % len(requests):
        work.one(image_of(requests[done % len(requests)]))
        done += 1
    return {"cpu_ms": (time.process_time() - cpu) * 1000 / done, "wall_ms": passed * 1000 / done}


def main(pictures: Path, model: str) -> None:
    jpegs = [file.read_bytes() for file in sorted(pictures.glob("*.jpg"))]
    requests = {mode: [whole(jpeg, mode, 0) for jpeg in jpegs] for mode in ("json", "raw")}
    work = {prepares: Work(1, model, prepares) for prepares in ("pillow", "ours")}
    for line in sys.stdin:
        order = json.loads(line)
        found = measure(work[order["prepares"]], requests[order["mode"]], order["seconds"])
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
