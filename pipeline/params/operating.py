"""What running the house costs, and from when on a person is told."""

from pipeline.params.section import Above, Money, Positive, Section


class Prices(Section):
    cpu_hour: Money
    gpu_hour: Money
    gb_month: Money


class Watch(Section):
    drift: Above
    drift_answers: Positive
    disk_free_gb: Above
    silent_hours: Positive
    night_hours: Positive
    streak: Positive
    usd_night: Money
