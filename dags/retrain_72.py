"""The night: every stage of dvc.yaml in its order, then the fleet is brought onto the champion."""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, Param
from dvc_tasks import PipelineCommand, draw

UNTIL = Param(
    None,
    type=["null", "string"],
    format="date-time",
    description="Read the journal up to this moment (UTC). Empty: up to the moment of the run.",
)

# A tick is run at its time or not at all. False does not say that: Airflow then takes up one that is up to a
# tenth of the interval old, and a house set up at four in the morning begins with a night nobody asked for.
JUST_NOW = timedelta(seconds=1)

with DAG(
    "retrain_72",
    description="From yesterday's challenges to a better champion",
    doc_md=__doc__,
    # No start date: with one, a run for the last tick would fire as soon as the file is first parsed.
    schedule=CronTriggerTimetable("0 2 * * *", timezone="UTC", run_immediately=JUST_NOW),
    catchup=False,
    is_paused_upon_creation=False,
    # One checkout, one artifacts folder: two stages at once would find each other's files half written.
    max_active_runs=1,
    max_active_tasks=1,
    default_args={"pool": "house", "retries": 1, "retry_delay": timedelta(seconds=10)},
    params={"until": UNTIL},
    tags=["night"],
) as dag:
    night = draw(dag)
    leaves = [task for task in night.values() if not task.downstream_list]
    PipelineCommand(task_id="rollout").set_upstream(leaves)
    PipelineCommand(task_id="watch").set_upstream(dag.get_task("rollout"))
