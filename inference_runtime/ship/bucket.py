"""A store that speaks S3."""

import base64
from typing import Any

from inference_runtime.ship import s3
from inference_runtime.ship.objects import Parcel, StoreError, Unsteady

RIGHTS = "s3:PutObject and s3:GetObject"


class Bucket:
    def __init__(self, address: str, connections: int) -> None:
        self.address = address
        self._bucket, _, prefix = address.removeprefix("s3://").partition("/")
        self._prefix = prefix.rstrip("/") + "/" if prefix.rstrip("/") else ""
        if not self._bucket:
            raise StoreError(f"store {address}: no bucket; write s3://bucket/prefix")
        self._client = s3.client(address, connections)

    def check(self) -> None:
        try:
            self._client.head_bucket(Bucket=self._bucket)
        except s3.failures() as error:
            # HEAD gets no body to say why, and who may only put may not ask: the first PUT will tell.
            if s3.status(error) not in (400, 403):
                raise self._refusal(error, {"404": "NoSuchBucket", "301": "PermanentRedirect"}) from error

    def size(self, name: str) -> int | None:
        head = self._head(name)
        return None if head is None else int(head["ContentLength"])

    def holds(self, parcel: Parcel) -> bool:
        head = self._head(parcel.name)
        if head is None or head["ContentLength"] != len(parcel.data):
            return False
        # Where objects are encrypted by a key of the account, an ETag is no MD5; then our own note counts.
        return _is_md5_of(parcel, head) or head["Metadata"].get("sha256") == parcel.sha256

    def put(self, parcel: Parcel) -> None:
        try:
            answer = self._client.put_object(
                Bucket=self._bucket,
                Key=self._prefix + parcel.name,
                Body=parcel.data,
                ContentMD5=base64.b64encode(parcel.md5).decode(),
                Metadata={"sha256": parcel.sha256},
            )
        except s3.failures() as error:
            raise self._refusal(error) from error
        if not _is_md5_of(parcel, answer) and not self.holds(parcel):
            raise Unsteady(f"store {self.address}: {parcel.name}: other bytes arrived than were sent")

    def _head(self, name: str) -> dict[str, Any] | None:
        try:
            head: dict[str, Any] = self._client.head_object(Bucket=self._bucket, Key=self._prefix + name)
        except s3.failures() as error:
            if s3.status(error) in (400, 403, 404):
                return None
            raise self._refusal(error) from error
        return head

    def _refusal(self, error: Exception, codes: dict[str, str] | None = None) -> Exception:
        known_as = (codes or {}).get(s3.code(error))
        return s3.refusal(error, f"store {self.address}", "--store", RIGHTS, known_as)


def _is_md5_of(parcel: Parcel, answer: dict[str, Any]) -> bool:
    return bool(answer.get("ETag", "").strip('"') == parcel.md5.hex())
