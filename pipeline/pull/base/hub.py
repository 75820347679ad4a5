"""A dataset on the Hugging Face hub, brought by its own client."""

from pathlib import Path

from inference_runtime.errors import Fixable

SCHEME = "hf://"


def fetch(address: str, key: str) -> Path:
    """hf://owner/name or hf://owner/name@revision; a copy that is here serves while the hub is away."""
    from huggingface_hub import errors, snapshot_download

    name, _, revision = address.removeprefix(SCHEME).removeprefix("datasets/").partition("@")
    try:
        return Path(snapshot_download(name, repo_type="dataset", revision=revision or None))
    except errors.HFValidationError:
        raise Fixable(f"params.yaml: {key}: {address}: write it like hf://owner/name@revision") from None
    except errors.RevisionNotFoundError:
        raise Fixable(
            f"params.yaml: {key}: {name} has no revision {revision!r}; name a commit, or none"
        ) from None
    except (errors.GatedRepoError, errors.RepositoryNotFoundError):
        # The hub says of a private one, too, that it is not there.
        remedy = f"check the name, accept its terms on https://huggingface.co/datasets/{name}, set HF_TOKEN"
        raise Fixable(f"params.yaml: {key}: {address}: not there, or not for you; {remedy}") from None
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled):
        raise Fixable(
            f"params.yaml: {key}: {address}: the hub is out of reach and no copy is here; connect once, "
            "or name a local folder"
        ) from None
