"""The data of a night as one page: what there is, what is wrong with it, and who should look at what."""

from pipeline.quality.report.page import page
from pipeline.quality.report.told import Data

__all__ = ["Data", "page"]
