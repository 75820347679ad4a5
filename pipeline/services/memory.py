"""What each service holds, with its descendants: PSS, so that what several share is counted once."""

from contextlib import suppress

import psutil

from pipeline.services import records


def held() -> dict[str, int]:
    """Bytes by name of the service that runs."""
    living = [record for name in records.names() if (record := records.running(name))]
    return {record.name: sum(map(_pss, tree(record.pid))) for record in living}


def tree(pid: int) -> list[psutil.Process]:
    """The process and its descendants; none where it has gone."""
    with suppress(psutil.NoSuchProcess):
        leader = psutil.Process(pid)
        return [leader, *leader.children(recursive=True)]
    return []


def _pss(process: psutil.Process) -> int:
    """RSS where the system does not tell the other."""
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        told = process.memory_full_info()
        return int(getattr(told, "pss", told.rss))
    return 0
