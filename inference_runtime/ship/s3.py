"""A client for any server that speaks S3, and what its refusals mean to a person."""

from typing import Any

from inference_runtime.ship.objects import StoreError, Unsteady

SECONDS = 30

# What a person must put right, by the code that the server gives; {line} names the bucket.
REMEDIES = {
    "NoSuchBucket": "create the bucket, or correct its name in {line}",
    "InvalidBucketName": "correct the bucket's name in {line}",
    "PermanentRedirect": "set AWS_DEFAULT_REGION to the bucket's region",
    "AuthorizationHeaderMalformed": "set AWS_DEFAULT_REGION to the bucket's region",
    "ExpiredToken": "the credentials have expired: renew AWS_SESSION_TOKEN and its keys",
    "ExpiredTokenException": "the credentials have expired: renew AWS_SESSION_TOKEN and its keys",
    "TokenRefreshRequired": "the credentials have expired: renew AWS_SESSION_TOKEN and its keys",
    "InvalidToken": "AWS_SESSION_TOKEN does not belong to these keys: renew all three",
    "InvalidAccessKeyId": "nobody has this AWS_ACCESS_KEY_ID: correct it",
    "SignatureDoesNotMatch": "AWS_SECRET_ACCESS_KEY does not belong to AWS_ACCESS_KEY_ID: correct it",
    "AccessDenied": "allow these credentials {rights} there",
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


def client(address: str, connections: int) -> Any:
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


def failures() -> tuple[type[Exception], ...]:
    """What a call may raise; the last is an answer that was cut in its middle."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    return BotoCoreError, ClientError, ResponseParserError


def status(error: Exception) -> int:
    return int(_said(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def code(error: Exception) -> str:
    return str(_said(error).get("Error", {}).get("Code", ""))


def refusal(error: Exception, place: str, line: str, rights: str, known_as: str | None = None) -> Exception:
    """Unsteady for what may pass, else a StoreError with its remedy; `line` is where the store is named."""
    said = f"{place}: {' '.join(str(error).split())[:300]}"
    name, answered = known_as or code(error), status(error)
    if name in REMEDIES:
        return StoreError(f"{said}; {REMEDIES[name].format(line=line, rights=rights)}")
    if _is_without_credentials(error):
        return StoreError(f"{said}; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile")
    if name not in PASSING and 400 <= answered < 500 and answered not in (408, 429):
        return StoreError(f"{said}; check {line}, AWS_ENDPOINT_URL and the AWS_* credentials")
    return Unsteady(said)


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
