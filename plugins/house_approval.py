"""A person's word before a release goes out, where the run asks for it."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLOperator
from airflow.sdk.exceptions import AirflowSkipException
from house_commands import home

# Silence is a no, and comes before the next night, which waits for this one.
PATIENCE = timedelta(hours=20)


class Approval(ApprovalOperator):  # type: ignore[misc]  # airflow is not followed by mypy
    """Waits for Approve or Reject where `require_approval` is set and something would go out; else skipped.

    A no does not skip the stage below: that refuses by itself, and books the try with the reason.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            subject="Publish tonight's challenger?",
            response_timeout=PATIENCE,
            defaults=self.REJECT,
            trigger_rule="none_failed",
            pool="default_pool",  # who waits for a person holds up nothing else
            **kwargs,
        )

    def execute(self, context: Mapping[str, Any]) -> Any:
        asked = context["params"]
        if asked.get("dry_run") or not asked.get("require_approval"):
            raise AirflowSkipException("approve: nobody asked for it")
        if why := _nothing_to_publish(bool(asked.get("force"))):
            raise AirflowSkipException(f"approve: {why}")
        self.body = _told(_verdict())
        return super().execute(context)

    def execute_complete(self, context: Mapping[str, Any], event: dict[str, Any]) -> Any:
        return HITLOperator.execute_complete(self, context, event)


def refusal(task: Any, context: Mapping[str, Any]) -> dict[str, str]:
    """What the stage below an approval has to know: who said no."""
    for upstream in task.upstream_task_ids:
        if isinstance(task.dag.get_task(upstream), Approval):
            said = context["ti"].xcom_pull(task_ids=upstream) or {}
            if ApprovalOperator.REJECT in said.get("chosen_options", ()):
                return {"REFUSED": _who(said)}
    return {}


def _who(said: Mapping[str, Any]) -> str:
    user = said.get("responded_by_user") or {}
    return f"{user['name']} said no" if user else "nobody approved it in time"


def _nothing_to_publish(again: bool) -> str:
    verdict, receipt = _verdict(), _read("publish", "receipt.json")
    if verdict.get("value") != "PASS":
        return f"the verdict is {verdict.get('value')}, nothing would go out"
    if receipt.get("bundle") == verdict["challenger"] and not again:
        return "this challenger had its answer"
    return ""


def _told(verdict: Mapping[str, Any]) -> str:
    reasons = "\n".join(f"* {reason}" for reason in verdict["reasons"])
    return f"The verdict is **{verdict['value']}**.\n\n{reasons}\n\nBundle `{verdict['challenger']}`."


def _verdict() -> dict[str, Any]:
    return _read("gate", "verdict.json")


def _read(stage: str, name: str) -> dict[str, Any]:
    file = home() / "artifacts" / stage / name
    return dict(json.loads(file.read_text())) if file.is_file() else {}
