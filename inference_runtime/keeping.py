"""What a journal keeps, for how long, and in what portions."""

import argparse
import importlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference_runtime.errors import Fixable

MB = 1 << 20

Redaction = Callable[[bytes], bytes | None]


@dataclass(frozen=True)
class Keeping:
    segment_bytes: int = 8 * MB
    segment_seconds: float = 300.0  # what is closed can be shipped, so no line waits longer than this
    free_bytes: int = 256 * MB  # under this, images are left out and answers kept
    sample: float = 1.0
    keep_days: float | None = None
    redact: str | None = None

    def samples(self, image: str) -> bool:
        """By the image, so that all the entries about one stand or fall together."""
        return int(image[:8], 16) < self.sample * 2**32

    def is_disk_full(self, folder: Path) -> bool:
        try:
            return shutil.disk_usage(folder).free < self.free_bytes
        except OSError:
            return True

    def redaction(self) -> Redaction | None:
        return None if self.redact is None else _function(self.redact)


def add(serve: argparse.ArgumentParser) -> None:
    """The flags of `serve` that say all this."""
    told = serve.add_argument_group("what the journal keeps")
    flag = told.add_argument
    defaults = Keeping()
    flag("--journal-segment-mb", type=float, default=defaults.segment_bytes / MB, metavar="MB",
         help="close a segment at this size (default: %(default)g)")  # fmt: skip
    flag("--journal-segment-seconds", type=float, default=defaults.segment_seconds, metavar="SECONDS",
         help="and at this age (default: %(default)g)")  # fmt: skip
    flag("--journal-free-mb", type=float, default=defaults.free_bytes / MB, metavar="MB",
         help="with less disk free, keep answers without images (default: %(default)g)")  # fmt: skip
    flag("--journal-sample", type=float, default=defaults.sample, metavar="SHARE",
         help="keep this share of the images and their answers (default: %(default)g)")  # fmt: skip
    flag("--journal-keep-days", type=float, metavar="N",
         help="remove what is older, shipped or not (default: keep all)")  # fmt: skip
    flag("--journal-redact", metavar="MODULE.FUNCTION",
         help="bytes -> bytes | None, asked about every image first; None keeps no image")  # fmt: skip


def of(given: argparse.Namespace) -> Keeping:
    keeping = Keeping(
        segment_bytes=int(given.journal_segment_mb * MB),
        segment_seconds=given.journal_segment_seconds,
        free_bytes=int(given.journal_free_mb * MB),
        sample=given.journal_sample,
        keep_days=given.journal_keep_days,
        redact=given.journal_redact,
    )
    _check(keeping)
    return keeping


def _check(keeping: Keeping) -> None:
    wrong = {
        "--journal-segment-mb": keeping.segment_bytes < 1,
        "--journal-segment-seconds": not keeping.segment_seconds > 0,
        "--journal-free-mb": keeping.free_bytes < 0,
        "--journal-sample": not 0 <= keeping.sample <= 1,
        "--journal-keep-days": keeping.keep_days is not None and not keeping.keep_days > 0,
    }
    for flag, is_wrong in wrong.items():
        if is_wrong:
            raise Fixable(f"{flag}: out of range; `serve --help` tells what it is")


def _function(name: str) -> Redaction:
    module, _, attribute = name.rpartition(".")
    try:
        found: Any = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise Fixable(f"--journal-redact: {name}: {error}; name a function as module.function") from error
    if not callable(found):
        raise Fixable(f"--journal-redact: {name}: is no function; name one as module.function")
    return found  # type: ignore[no-any-return]
