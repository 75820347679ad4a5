"""Every morning: a copy of what cannot be made again. `python -m pipeline restore` brings it back."""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable
from house_commands import PipelineCommand

# A tick is run at its time or not at all, as in retrain_72.
JUST_NOW = timedelta(seconds=1)

with DAG(
    "backup_72",
    description="Labels, pictures, models and DVC's books, into backup.store",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("30 5 * * *", timezone="UTC", run_immediately=JUST_NOW),
    catchup=False,
    is_paused_upon_creation=False,
    max_active_runs=1,
    # In the pool of the stages: a copy of half a night would be none.
    default_args={"pool": "house", "retries": 2, "retry_delay": timedelta(minutes=5)},
    tags=["chore"],
) as dag:
    PipelineCommand(task_id="backup")
