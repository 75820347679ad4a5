"""The verdict as one page that needs nothing else: what was decided, by which numbers, on which pictures."""

from pipeline.gate.report.page import page

__all__ = ["page"]
