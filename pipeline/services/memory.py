"""What each service holds, with its descendants: PSS, so that what several share is counted once."""

from contextlib import suppress

import psutil

from pipeline.services import records


def held() -> dict[str, int]:
    """Bytes by name of the service that runs."""
    living = [record for name in records.names() if (record := records.running(name))]
    return {record.name: _of(record.pid) for record in living}


def _of(pid: int) -> int:
    with suppress(psutil.NoSuchProcess):
        leader = psutil.Process(pid)
        return sum(_pss(one) for one in (leader, *leader.children(recursive=True)))
    return 0


def _pss(process: psutil.Process) -> int:
    """RSS where the system does not tell the other."""
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        told = process.memory_full_info()
        return int(getattr(told, "pss", told.rss))
    return 0
