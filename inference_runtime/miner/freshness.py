"""What must be true of a signed request before its signature is worth checking."""

import time

# What validators wait, and the SDK's own allowance for clocks that differ.
LONGEST_TIMEOUT = 16.0
SKEW_SECONDS = 4.0
# Before this version nonces were counters that say nothing of time.
FIRST_VERSION = 7_002_000


def objection(
    signature: str | None, nonce: int | None, version: int | None, timeout: float | None
) -> str | None:
    """Why this request gets 401; None when its signature may be checked.

    The caller's timeout is not signed, so it may not stretch the window in which a recorded request is taken.
    """
    if not signature:
        return "empty signature"
    if nonce is None:
        return "no nonce"
    if version is not None and version < FIRST_VERSION:
        return "bittensor before 7.2 is not spoken here; upgrade"
    window = SKEW_SECONDS + min(max(timeout or 0.0, 0.0), LONGEST_TIMEOUT)
    age = (time.time_ns() - nonce) / 1e9
    if age > window:
        return f"nonce is {age:.1f} s old, over {window:.1f} s"
    if age < -window:
        return f"nonce is {-age:.1f} s ahead; set the clock"
    return None
