"""What one night wants otherwise than params.yaml."""

import os
from typing import get_args

from inference_runtime.errors import Fixable
from pipeline.params import PainterName, Params


def tonight(given: Params) -> Params:
    """PAINTER, if the environment names one, paints all of it."""
    painter = os.environ.get("PAINTER")
    if not painter:
        return given
    if painter not in get_args(PainterName):
        raise Fixable(f"PAINTER: {painter!r} paints nothing; known are {', '.join(get_args(PainterName))}")
    synthesize = given.synthesize.model_copy(update={"painters": (painter,)})
    return given.model_copy(update={"synthesize": synthesize})
