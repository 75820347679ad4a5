"""A store that speaks S3, over a network that may fail in every way."""

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

from inference_runtime.ship import s3
from inference_runtime.ship.objects import StoreError, Unsteady
from inference_runtime.ship.patience import Stopped, patiently
from pipeline import drafts
from pipeline.store import Object

RIGHTS = "s3:ListBucket and s3:GetObject"

Result = TypeVar("Result")


class Bucket:
    """Once one call has failed for good, every other ends at once and with the same word."""

    def __init__(self, address: str, key: str, connections: int) -> None:
        self.bucket, _, prefix = address.removeprefix("s3://").partition("/")
        self.prefix = prefix.rstrip("/") + "/" if prefix.rstrip("/") else ""
        self.address, self.line = address, f"params.yaml {key}"
        self.client = s3.client(address, connections)
        self._over = Event()
        self._failure: StoreError | None = None

    def objects(self, prefix: str, after: str = "") -> Iterator[Object]:
        asked = {"Bucket": self.bucket, "Prefix": self.prefix + prefix}
        if after:
            asked["StartAfter"] = self.prefix + after
        while True:
            page = self._try(lambda: self.client.list_objects_v2(**asked))
            for item in page.get("Contents", []):
                yield Object(item["Key"].removeprefix(self.prefix), item["Size"], item["ETag"].strip('"'))
            if not page.get("IsTruncated"):
                return
            asked["ContinuationToken"] = page["NextContinuationToken"]

    def read(self, name: str) -> bytes:
        return self._try(lambda: self._get(name, None))

    def local(self, found: Object, into: Path) -> Path:
        copy = into / found.mark / Path(found.name).name
        if not copy.exists():
            drafts.write(copy, self._try(lambda: self._get(found.name, found.size)))
        return copy

    def _get(self, name: str, size: int | None) -> bytes:
        answer = self.client.get_object(Bucket=self.bucket, Key=self.prefix + name)
        data: bytes = answer["Body"].read()
        if size not in (None, len(data)) or not _is_whole(data, answer):
            raise Unsteady(f"{self.address}: {name}: other bytes arrived than lie there")
        return data

    def _try(self, call: Callable[[], Result]) -> Result:
        try:
            return patiently(lambda: self._judged(call), self._over)
        except Stopped:
            raise self._failure or StoreError(f"{self.line}: {self.address}: stopped") from None
        except StoreError as error:
            self._failure = self._failure or error
            self._over.set()
            raise self._failure from None

    def _judged(self, call: Callable[[], Result]) -> Result:
        try:
            return call()
        except s3.failures() as error:
            if s3.code(error) in ("NoSuchKey", "404"):
                raise FileNotFoundError(f"not in {self.address}") from None
            said = f"{self.line}: {self.address}"
            raise s3.refusal(error, said, self.line, RIGHTS) from None


def _is_whole(data: bytes, answer: dict[str, Any]) -> bool:
    """By the note that `ship` left, else by the ETag, where that is a plain MD5."""
    if noted := answer.get("Metadata", {}).get("sha256"):
        return bool(hashlib.sha256(data).hexdigest() == noted)
    etag = answer.get("ETag", "").strip('"')
    if not re.fullmatch("[0-9a-f]{32}", etag) or "aws:kms" in answer.get("ServerSideEncryption", ""):
        return True
    return bool(hashlib.md5(data, usedforsecurity=False).hexdigest() == etag)
