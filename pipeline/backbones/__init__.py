"""Networks that turn pixels into vectors and are never trained here; the name in params.yaml picks one."""

from pathlib import Path
from typing import TYPE_CHECKING

from inference_runtime.errors import Fixable
from pipeline.params import Backbone

if TYPE_CHECKING:
    from pipeline.backbones.frozen import Frozen

# Of EfficientNet-Lite0's weights; beside it, so that a stage whose vectors are all cached loads no torch.
LITE0 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
HUBBED = ("facebook/dinov3-", "facebook/dinov2-")


def load(params: Backbone) -> "Frozen":
    """The network itself, weights checked: uint8 pixels [N,H,W,3] -> float32 vectors [N,dim]."""
    match _kind(params):
        case "efficientnet":
            from pipeline.backbones import efficientnet

            return efficientnet.load(params)
        case "folder":
            from pipeline.backbones import hf

            return hf.load(params, Path(params.name))
        case _:
            from pipeline.backbones import download

            folder = download.fetch(params)
            from pipeline.backbones import hf

            return hf.load(params, folder)


def identity(params: Backbone) -> str:
    """Names the exact weights, so that vectors of two versions never meet; loads no network."""
    match _kind(params):
        case "efficientnet":
            return LITE0
        case "folder":
            from pipeline.backbones import download

            return download.fingerprint(Path(params.name))
        case _:
            from pipeline.backbones import download

            return download.commit(download.fetch(params))


def _kind(params: Backbone) -> str:
    if params.name == "efficientnet-lite0":
        return "efficientnet"
    if params.name.startswith(HUBBED):
        return "hub"
    if Path(params.name).is_dir():
        return "folder"
    raise Fixable(
        f"params.yaml: backbone.name: no backbone {params.name!r}; use efficientnet-lite0,"
        f" {HUBBED[0]}*, {HUBBED[1]}* or an existing folder with config.json and model.safetensors"
    )
