"""What is done beside the nights."""

from typing import Annotated

from pydantic import Field

from pipeline.params.section import Positive, Section


class Buffer(Section):
    margin: Annotated[float, Field(gt=0, le=0.5)]
    cases: Positive


class Backup(Section):
    store: str
    keep: Positive


class Tidy(Section):
    logs: Positive
    leftovers: Positive
    pictures: Positive
