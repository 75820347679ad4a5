"""The night: every stage of dvc.yaml in its order, then the fleet is brought onto the champion.

At two in the morning, UTC, or sooner: when `watch_72` finds that enough hard cases have come meanwhile.
"""

from datetime import timedelta

from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable, Param
from dvc_tasks import draw
from house_approval import Approval
from house_assets import HARD_CASES
from house_commands import PipelineCommand

PAINTERS = ("procedural", "sdxl", "bedrock", "cosmos", "cosmos_service")

PARAMS = {
    "until": Param(
        None,
        type=["null", "string"],
        format="date-time",
        description="Read the journal up to this moment (UTC). Empty: up to the moment of the run.",
    ),
    "dry_run": Param(False, type="boolean", description="Only say which stages would run."),
    "require_approval": Param(
        False, type="boolean", description="Wait for a person before anything is published."
    ),
    "painter": Param(
        None,
        type=["null", "string"],
        enum=[None, *PAINTERS],
        description="Paint with this one tonight, whatever params.yaml says.",
    ),
    "force": Param(False, type="boolean", description="Run every stage, also those that are unchanged."),
}

# A tick is run at its time or not at all. False does not say that: Airflow then takes up one that is up to a
# tenth of the interval old, and a house set up at four in the morning begins with a night nobody asked for.
JUST_NOW = timedelta(seconds=1)
TWO = CronTriggerTimetable("0 2 * * *", timezone="UTC", run_immediately=JUST_NOW)

# Ten minutes at least in all: a database or a hub that is away for so long costs no night.
PATIENCE = {"retries": 6, "retry_delay": timedelta(seconds=10), "retry_exponential_backoff": 2}

with DAG(
    "retrain_72",
    description="From yesterday's challenges to a better champion",
    doc_md=__doc__,
    # No start date: with one, a run for the last tick would fire as soon as the file is first parsed.
    # Nothing in the night may emit this asset: it would start itself for ever.
    schedule=AssetOrTimeSchedule(timetable=TWO, assets=[HARD_CASES]),
    catchup=False,
    is_paused_upon_creation=False,
    # One checkout, one artifacts folder: two stages at once would find each other's files half written.
    max_active_runs=1,
    max_active_tasks=1,
    default_args={"pool": "house", **PATIENCE},
    params=PARAMS,
    tags=["night"],
) as dag:
    night = draw(dag)
    approve = Approval(task_id="approve")
    approve.set_upstream(night["gate"])
    approve.set_downstream(night["publish"])
    leaves = [task for task in night.values() if not task.downstream_list]
    PipelineCommand(task_id="rollout").set_upstream(leaves)
    PipelineCommand(task_id="watch").set_upstream(dag.get_task("rollout"))
