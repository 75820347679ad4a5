"""A store that speaks S3."""

import base64
from typing import Any

from inference_runtime.ship.objects import Parcel, StoreError, Unsteady

SECONDS = 30

# What a person must put right, by the code that the server gives.
REMEDIES = {
    "NoSuchBucket": "create the bucket, or correct its name in --store",
    "InvalidBucketName": "correct the bucket's name in --store",
    "PermanentRedirect": "set AWS_DEFAULT_REGION to the bucket's region",
    "AuthorizationHeaderMalformed": "set AWS_DEFAULT_REGION to the bucket's region",
    "ExpiredToken": "the credentials have expired: renew AWS_SESSION_TOKEN and its keys",
    "ExpiredTokenException": "the credentials have expired: renew AWS_SESSION_TOKEN and its keys",
    "TokenRefreshRequired": "the credentials have expired: renew AWS_SESSION_TOKEN and its keys",
    "InvalidToken": "AWS_SESSION_TOKEN does not belong to these keys: renew all three",
    "InvalidAccessKeyId": "nobody has this AWS_ACCESS_KEY_ID: correct it",
    "SignatureDoesNotMatch": "AWS_SECRET_ACCESS_KEY does not belong to AWS_ACCESS_KEY_ID: correct it",
    "AccessDenied": "allow these credentials s3:PutObject and s3:GetObject there",
    "AllAccessDisabled": "the account is closed: ask its owner",
    "AccountProblem": "the account is closed: ask its owner",
    "RequestTimeTooSkewed": "set this machine's clock",
    "QuotaExceeded": "the bucket is full: raise its quota",
}
PASSING = {
    "RequestTimeout",
    "BadDigest",
    "IncompleteBody",
    "SlowDown",
    "XAmzContentSHA256Mismatch",
    "Throttling",
}


class Bucket:
    def __init__(self, address: str, connections: int) -> None:
        self.address = address
        self._bucket, _, prefix = address.removeprefix("s3://").partition("/")
        self._prefix = prefix.rstrip("/") + "/" if prefix.rstrip("/") else ""
        if not self._bucket:
            raise StoreError(f"store {address}: no bucket; write s3://bucket/prefix")
        self._client = _client(address, connections)

    def check(self) -> None:
        try:
            self._client.head_bucket(Bucket=self._bucket)
        except _failures() as error:
            # HEAD gets no body to say why, and who may only put may not ask: the first PUT will tell.
            if _status(error) not in (400, 403):
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
        except _failures() as error:
            raise self._refusal(error) from error
        if not _is_md5_of(parcel, answer) and not self.holds(parcel):
            raise Unsteady(f"store {self.address}: {parcel.name}: other bytes arrived than were sent")

    def _head(self, name: str) -> dict[str, Any] | None:
        try:
            head: dict[str, Any] = self._client.head_object(Bucket=self._bucket, Key=self._prefix + name)
        except _failures() as error:
            if _status(error) in (400, 403, 404):
                return None
            raise self._refusal(error) from error
        return head

    def _refusal(self, error: Exception, codes: dict[str, str] | None = None) -> Exception:
        said = f"store {self.address}: {' '.join(str(error).split())[:300]}"
        code, status = _code(error), _status(error)
        code = (codes or {}).get(code, code)
        if code in REMEDIES:
            return StoreError(f"{said}; {REMEDIES[code]}")
        if _is_without_credentials(error):
            return StoreError(f"{said}; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile")
        if code not in PASSING and 400 <= status < 500 and status not in (408, 429):
            return StoreError(f"{said}; check --store, AWS_ENDPOINT_URL and the AWS_* credentials")
        return Unsteady(said)


def _client(address: str, connections: int) -> Any:
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ModuleNotFoundError:
        raise StoreError(f"store {address}: boto3 is not here; pip install 'retrain-72[ship]'") from None

    config = Config(
        retries={"total_max_attempts": 1},  # tried again by us, where it is counted and said
        connect_timeout=10,
        read_timeout=SECONDS,
        max_pool_connections=connections,
        # Newer checksums are refused by older servers; Content-MD5 is understood by all.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    try:
        # A session of its own, for the shared one would go on with credentials that were renewed meanwhile.
        return boto3.session.Session().client("s3", config=config)
    except (ValueError, BotoCoreError) as error:
        raise StoreError(f"store {address}: {error}; check AWS_ENDPOINT_URL and the AWS_* settings") from None


def _failures() -> tuple[type[Exception], ...]:
    from botocore.exceptions import BotoCoreError, ClientError

    return BotoCoreError, ClientError


def _is_without_credentials(error: Exception) -> bool:
    from botocore.exceptions import (
        CredentialRetrievalError,
        NoCredentialsError,
        PartialCredentialsError,
        ProfileNotFound,
    )

    return isinstance(
        error, CredentialRetrievalError | NoCredentialsError | PartialCredentialsError | ProfileNotFound
    )


def _said(error: Exception) -> dict[str, Any]:
    # Errors on the way have none, or None.
    return getattr(error, "response", None) or {}


def _code(error: Exception) -> str:
    return str(_said(error).get("Error", {}).get("Code", ""))


def _status(error: Exception) -> int:
    return int(_said(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _is_md5_of(parcel: Parcel, answer: dict[str, Any]) -> bool:
    return bool(answer.get("ETag", "").strip('"') == parcel.md5.hex())
