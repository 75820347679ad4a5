"""When a person is asked, and what their word does to the stage below."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "plugins"))

house_approval = pytest.importorskip("house_approval", reason="needs the airflow extra")


def verdict(checkout: Path, value: str) -> None:
    folder = checkout / "artifacts" / "gate"
    folder.mkdir(parents=True, exist_ok=True)
    told = {"value": value, "challenger": "b1", "reasons": ["better by .03", "no slice lost"]}
    (folder / "verdict.json").write_text(json.dumps(told))


def receipt(checkout: Path, bundle: str) -> None:
    folder = checkout / "artifacts" / "publish"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "receipt.json").write_text(json.dumps({"bundle": bundle, "published": False}))


def passed_over(**params: Any) -> str:
    with pytest.raises(Exception, match=r"^approve: ") as raised:
        house_approval.Approval(task_id="approve").execute({"params": params})
    assert type(raised.value).__name__ == "AirflowSkipException"
    return str(raised.value)


def test_nobody_is_asked_unless_the_run_wants_it(checkout: Path) -> None:
    verdict(checkout, "PASS")
    assert passed_over(require_approval=False) == "approve: nobody asked for it"
    assert passed_over(require_approval=True, dry_run=True) == "approve: nobody asked for it"


def test_nobody_is_asked_where_nothing_would_go_out(checkout: Path) -> None:
    verdict(checkout, "INCONCLUSIVE")
    assert "the verdict is INCONCLUSIVE" in passed_over(require_approval=True)
    verdict(checkout, "PASS")
    receipt(checkout, "b1")
    assert "had its answer" in passed_over(require_approval=True)


@pytest.mark.parametrize("force", [False, True])
def test_a_person_is_asked_with_the_reasons(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, force: bool
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        house_approval.ApprovalOperator, "execute", lambda self, context: asked.append(self.body)
    )
    verdict(checkout, "PASS")
    receipt(checkout, "b1" if force else "b0")
    house_approval.Approval(task_id="approve").execute({"params": {"require_approval": True, "force": force}})
    assert "better by .03" in asked[0] and "`b1`" in asked[0]


def refused(said: dict[str, Any] | None) -> dict[str, str]:
    from airflow.sdk import DAG, BaseOperator

    with DAG("night", schedule=None):
        approve = house_approval.Approval(task_id="approve")
        below = BaseOperator(task_id="publish")
        approve >> below
    instance = SimpleNamespace(xcom_pull=lambda task_ids: said)
    return dict(house_approval.refusal(below, {"ti": instance}))


def test_a_no_is_told_to_the_stage_below_with_its_name() -> None:
    no = {"chosen_options": ["Reject"], "responded_by_user": {"id": "1", "name": "ada"}}
    assert refused(no) == {"REFUSED": "ada said no"}


def test_silence_is_a_no() -> None:
    assert refused({"chosen_options": ["Reject"], "responded_by_user": None}) == {
        "REFUSED": "nobody approved it in time"
    }


@pytest.mark.parametrize(
    "said", [None, {"chosen_options": ["Approve"], "responded_by_user": {"name": "ada"}}]
)
def test_a_yes_and_an_unasked_question_say_nothing(said: dict[str, Any] | None) -> None:
    assert refused(said) == {}
