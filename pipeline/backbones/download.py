"""Brings a backbone's files from the Hugging Face hub, and names what was brought."""

import hashlib
from pathlib import Path

from inference_runtime.errors import Fixable
from pipeline.params import Backbone

FILES = ("config.json", "*.safetensors", "*.safetensors.index.json", "LICENSE*")


def fetch(params: Backbone) -> Path:
    """The folder of the snapshot; a copy that is already here serves when the hub is out of reach."""
    from huggingface_hub import errors, snapshot_download

    try:
        return Path(snapshot_download(params.name, revision=params.revision, allow_patterns=list(FILES)))
    except errors.GatedRepoError:
        raise _refused(params, f"gated: {_access(params)}") from None
    except errors.RevisionNotFoundError:
        line = (
            f"params.yaml: backbone.revision: {params.name} has no {params.revision!r}; use null or a commit"
        )
        raise Fixable(line) from None
    except errors.RepositoryNotFoundError:
        # The hub answers so, too, to a stranger who asks for what is private or gated.
        raise _refused(params, f"not found, or not for you: check the name, or {_access(params)}") from None
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled):
        raise _refused(
            params,
            f"the hub is out of reach and no copy is here: connect once ({_access(params)}),"
            " or name a local folder or efficientnet-lite0 instead",
        ) from None


def commit(snapshot: Path) -> str:
    return snapshot.name


def fingerprint(folder: Path) -> str:
    """A hash over the files that decide what the network computes."""
    digest = hashlib.sha256()
    for file in sorted(file for pattern in FILES[:3] for file in folder.glob(pattern)):
        digest.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _access(params: Backbone) -> str:
    return f"accept its licence on https://huggingface.co/{params.name} and set HF_TOKEN"


def _refused(params: Backbone, why: str) -> Fixable:
    return Fixable(f"params.yaml: backbone.name: {params.name}: {why}")
