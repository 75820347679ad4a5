"""What one DAG tells another."""

from collections.abc import Mapping
from typing import Any

from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowSkipException
from house_commands import PipelineCommand

# Emitted by watch_72 alone, when the journal holds enough hard cases that no night has seen.
HARD_CASES = Asset("hard-cases-full")


class Buffer(PipelineCommand):
    """Emits the asset when there are enough, and is skipped, which emits nothing, when there are not."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"outlets": [HARD_CASES], **kwargs})

    def result(self, lines: list[str], told: Mapping[str, Any]) -> dict[str, Any]:
        if not told["full"]:
            raise AirflowSkipException(f"buffer: {told['cases']} hard cases wait")
        return super().result(lines, told)
