"""The one place where time enters: UNTIL, so that any night can be run again."""

import os
from datetime import UTC, datetime

from inference_runtime.errors import Fixable


def moment() -> datetime:
    given = os.environ.get("UNTIL")
    if not given:
        return datetime.now(UTC)
    try:
        until = datetime.fromisoformat(given)
    except ValueError:
        raise Fixable(f"UNTIL: {given!r} is no ISO time; write it like 2026-11-20T02:00:00Z") from None
    return until.astimezone(UTC) if until.tzinfo else until.replace(tzinfo=UTC)
