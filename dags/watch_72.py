"""Every quarter of an hour: does what serves still deserve to, and have enough hard cases come for a night?

A roll-out that waits goes on here.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable
from house_assets import Buffer
from house_commands import PipelineCommand

# A tick is run at its time or not at all. False does not say that: Airflow then takes up one that is up to a
# tenth of the interval old, and a house set up at four in the morning begins with a night nobody asked for.
JUST_NOW = timedelta(seconds=1)

with DAG(
    "watch_72",
    description="A look at the fleet, at what people said of its answers, and at its age",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("*/15 * * * *", timezone="UTC", run_immediately=JUST_NOW),
    catchup=False,
    is_paused_upon_creation=False,
    # It only speaks with the runtime, so it need not wait for the pool that a night holds.
    max_active_runs=1,
    default_args={"retries": 1, "retry_delay": timedelta(seconds=10)},
    tags=["watch"],
) as dag:
    PipelineCommand(task_id="watch")
    Buffer(task_id="buffer")
