"""Every Sunday, after the copy: throws away what no night needs again. `dry_run` says what that would be."""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, Param
from house_commands import PipelineCommand

# A tick is run at its time or not at all, as in retrain_72.
JUST_NOW = timedelta(seconds=1)

with DAG(
    "tidy_72",
    description="Old logs, what killed processes left, pictures kept twice, what DVC no longer names",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("30 6 * * 0", timezone="UTC", run_immediately=JUST_NOW),
    catchup=False,
    is_paused_upon_creation=False,
    max_active_runs=1,
    # In the pool of the stages: what a stage is writing must not look left behind.
    default_args={"pool": "house", "retries": 0},
    params={"dry_run": Param(False, type="boolean", description="Only say what would go.")},
    tags=["chore"],
) as dag:
    PipelineCommand(task_id="tidy", dry_run_flag="--dry-run")
