"""What a person must hear: a line in the log, and a webhook where ALERT_WEBHOOK names one."""

import json
import os
import urllib.request

from pipeline.progress import say


def alert(line: str) -> None:
    """Never raises: who is told must not decide whether it is done."""
    say(f"ALERT: {line}")
    url = os.environ.get("ALERT_WEBHOOK")
    if not url:
        return
    # The one key that Slack, Mattermost and their kin all read.
    body = json.dumps({"text": f"retrain-72: {line}"}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        urllib.request.urlopen(request, timeout=10).close()
    except (OSError, ValueError) as error:
        say(f"ALERT_WEBHOOK: not told ({error})")
