"""The review queue, in the App in which people look at pictures. Needs FiftyOne, and nothing else of ours."""

from typing import Any

from .operators import Ask, Confirm, Say
from .panel import Review


def register(plugin: Any) -> None:
    for one in (Say, Confirm, Ask, Review):
        plugin.register(one)
