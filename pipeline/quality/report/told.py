"""What the page is told."""

from dataclasses import dataclass

import polars as pl

from pipeline.quality.opinions import Opinion
from pipeline.quality.shift import Shift


@dataclass(frozen=True)
class Data:
    pulled: pl.DataFrame  # all pictures of the house
    cases: pl.DataFrame  # what mine picked tonight
    table: pl.DataFrame  # what teaches and judges
    left_out: pl.DataFrame  # what does neither, because it is kin of what judges
    pairs: pl.DataFrame  # of one street
    suspects: pl.DataFrame
    faults: pl.DataFrame
    shifts: tuple[Shift, ...]
    opinions: tuple[Opinion, ...]
    painters: tuple[str, ...]  # what was found of each
    gone: int  # pictures that gold had once
    review: int  # so many suspects wait for a second look
