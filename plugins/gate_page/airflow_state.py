"""What Airflow itself knows: the last night, the next one, who waits for a person, what a run made."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow.models import DagModel, DagRun, TaskInstance
from airflow.models.asset import AssetEvent, AssetModel
from airflow.models.hitl import HITLDetail
from airflow.utils.session import create_session
from sqlalchemy import select
from sqlalchemy.orm import Session

NIGHT = "retrain_72"


@dataclass(frozen=True)
class Run:
    dag: str
    run: str
    state: str
    at: datetime


@dataclass(frozen=True)
class Question:
    """Something that a person is asked before the run goes on."""

    run: str
    task: str
    subject: str


@dataclass(frozen=True)
class State:
    last: Run | None
    next: datetime | None
    paused: bool
    questions: list[Question]


@dataclass(frozen=True)
class Made:
    """What a task of the run came to, and the record of its artifact if it left one."""

    task: str
    state: str
    seconds: float | None
    record: dict[str, Any] | None


@dataclass(frozen=True)
class RunFacts:
    run: Run
    made: list[Made]
    questions: list[Question]


def now() -> State:
    with create_session() as session:
        night = session.get(DagModel, NIGHT)
        last = session.scalar(
            select(DagRun).where(DagRun.dag_id == NIGHT).order_by(DagRun.run_after.desc()).limit(1)
        )
        return State(
            last=_run(last) if last else None,
            next=night.next_dagrun_create_after if night else None,
            paused=bool(night and night.is_paused),
            questions=_questions(session),
        )


def of_run(dag: str, run: str) -> RunFacts | None:
    with create_session() as session:
        found = session.scalar(select(DagRun).where(DagRun.dag_id == dag, DagRun.run_id == run))
        if found is None:
            return None
        tasks = session.scalars(
            select(TaskInstance)
            .where(TaskInstance.dag_id == dag, TaskInstance.run_id == run)
            .order_by(TaskInstance.start_date.is_(None), TaskInstance.start_date, TaskInstance.task_id)
        ).all()
        records = _records(session, dag, run)
        made = [
            Made(one.task_id, one.state or "none", one.duration, records.get(one.task_id)) for one in tasks
        ]
        return RunFacts(_run(found), made, _questions(session, run))


def _run(found: Any) -> Run:
    return Run(found.dag_id, found.run_id, str(found.state), found.run_after)


def _records(session: Session, dag: str, run: str) -> dict[str, dict[str, Any]]:
    """By task; of a task that was run again, the last."""
    events = session.execute(
        select(AssetEvent.source_task_id, AssetEvent.extra)
        .join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        .where(AssetEvent.source_dag_id == dag, AssetEvent.source_run_id == run)
        .order_by(AssetEvent.id)
    )
    return {task: extra for task, extra in events if extra}


def _questions(session: Session, run: str | None = None) -> list[Question]:
    asked = (
        select(TaskInstance.run_id, TaskInstance.task_id, HITLDetail.subject)
        .join(TaskInstance, TaskInstance.id == HITLDetail.ti_id)
        .where(HITLDetail.responded_at.is_(None), TaskInstance.dag_id == NIGHT)
        .where(TaskInstance.state.in_(("awaiting_input", "deferred")))
        .order_by(TaskInstance.run_id)
    )
    found = session.execute(asked if run is None else asked.where(TaskInstance.run_id == run))
    return [Question(*row) for row in found]
