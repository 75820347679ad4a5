"""The names and labels by which others know the runtime: its dashboards and alerts stand on them."""

import re
import urllib.request
from collections.abc import Callable
from typing import Any

from inference_runtime.metrics import HELP

GAUGES = {"model_age_seconds", "queue_depth", "held_bytes", "connections"}
JOURNAL = {"journal_written", "journal_shed", "journal_images_shed"}


def test_a_server_tells_what_dashboards_and_rules_ask_for(
    start: Callable[..., Any], make_bundle: Callable[..., Any], make_picture: Callable[..., bytes]
) -> None:
    server = start(make_bundle())
    assert server.predict(make_picture())[0] == 200
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=20) as answer:
        told = answer.read().decode()
    names = set(re.findall(r"(?m)^# TYPE runtime_(\w+) \w+$", told))
    assert names >= HELP.keys() | GAUGES | JOURNAL | {"bundle_info"}
    assert 'runtime_requests_total{route="/v1/predict",status="200"} 1\n' in told
    assert 'runtime_stage_seconds_bucket{stage="total",le="+Inf"} 1\n' in told
    assert re.search(r'(?m)^runtime_bundle_info\{bundle="\w+",version="[^"]*"\} 1$', told)
    for kind in ("images_total", "cache_total", "batch_size_count"):
        assert re.search(rf"(?m)^runtime_{kind}\S* [1-9]", told), kind
