"""The painters, by name."""

from typing import assert_never

from pipeline.params import PainterName, Synthesize
from pipeline.synthesize.order import Painter

# How a painter is asked, and what for; a new price list paints nothing anew.
BESIDES = {"attempts", "batch", "offload", "prices", "timeout", "url", "usd"}


def painter(name: PainterName, params: Synthesize) -> Painter:
    match name:
        case "procedural":
            from pipeline.synthesize.painters import procedural

            return procedural.Procedural()
        case "sdxl":
            from pipeline.synthesize.painters import sdxl

            return sdxl.Sdxl(params.sdxl)
        case "bedrock":
            from pipeline.synthesize.painters import bedrock

            return bedrock.Bedrock(params.bedrock)
        case "cosmos":
            from pipeline.synthesize.painters import cosmos

            return cosmos.Cosmos(params.cosmos)
        case "cosmos_service":
            from pipeline.synthesize.painters import cosmos_service

            return cosmos_service.Service(params.cosmos_service)
        case unknown:
            assert_never(unknown)


def settings(name: PainterName, params: Synthesize) -> str:
    """What decides a painting besides its order."""
    return "" if name == "procedural" else str(getattr(params, name).model_dump_json(exclude=BESIDES))
