"""What a service holds is added up over its descendants."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import services
from pipeline.services import memory, records
from pipeline.services.records import Record

# A service that holds little and has a child that holds 40 MB.
LEADER = """
import subprocess, sys
child = "held = b'x' * 40_000_000; print('on', flush=True); import time; time.sleep(60)"
subprocess.run([sys.executable, "-c", child])
"""


@pytest.fixture
def service(home: Path) -> Iterator[Record]:
    (home / "dvc.yaml").touch()
    with subprocess.Popen([sys.executable, "-c", LEADER], stdout=subprocess.PIPE, text=True) as leader:
        assert leader.stdout and leader.stdout.readline() == "on\n"
        record = Record("app", leader.pid, str(records.birth(leader.pid)), 1, "http://127.0.0.1:1", "")
        records.remember(record)
        yield record
        for process in memory.tree(leader.pid):
            process.kill()


def test_a_childs_memory_counts(service: Record) -> None:
    assert 45e6 < memory.held()["app"] < 120e6


def test_the_table_tells_it_and_the_sum(service: Record, capsys: pytest.CaptureFixture[str]) -> None:
    services.status(with_memory=True)
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["service", "state", "pid", "MB", "where"]
    app = next(row for row in rows if row.startswith("app")).split()
    assert app[1] == "up" and 45 < int(app[3]) < 120
    assert rows[-1].split()[:2] == ["in", "all"]


def test_who_has_gone_holds_nothing(home: Path) -> None:
    (home / "dvc.yaml").touch()
    assert memory.held() == {}
    assert memory.tree(2**22 - 1) == []
