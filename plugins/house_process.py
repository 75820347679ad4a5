"""A command with everything it starts: heard line by line, ended within five seconds."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

GRACE = 4.0  # seconds from SIGTERM to SIGKILL: an operator who clears a task waits no longer than five
OWNER = "RETRAIN_OWNER"  # in the environment of all it starts: the folder, and the process that waits for it


class Process:
    """A group and not a session: what outlives a killed scheduler is found by the scheduler's session."""

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        end_orphans(folder)
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env={**environment, OWNER: _owner(folder, os.getpid())},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,  # a bar that is drawn anew with \r comes as lines, too
            errors="replace",
            process_group=0,
        )

    def lines(self) -> Iterator[str]:
        assert self._process.stdout
        for line in self._process.stdout:
            if text := line.rstrip():
                yield text

    def wait(self) -> int:
        return self._process.wait()

    def end(self) -> None:
        """SIGTERM to the whole group, and SIGKILL to what does not heed it."""
        _signal_group(self._process.pid, signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        # DVC goes at once; the stage below it may want its time.
        while self._lives() and time.monotonic() < deadline:
            time.sleep(0.05)
        _signal_group(self._process.pid, signal.SIGKILL)

    def _lives(self) -> bool:
        return self._process.poll() is None or _signal_group(self._process.pid, 0)


def end_orphans(folder: Path) -> list[int]:
    """Kills what a killed worker left running in this folder: it would ruin the next one's files."""
    import psutil

    ended = []
    for process in psutil.process_iter():
        try:
            ours, _, owner = process.environ().get(OWNER, "").rpartition(":")
            if ours == str(folder) and not psutil.pid_exists(int(owner)) and not _is_service(process.pid):
                process.kill()
                ended.append(process)
        except (psutil.Error, ProcessLookupError):
            continue
    psutil.wait_procs(ended, timeout=5)  # DVC takes their locks for held until they are buried
    return [process.pid for process in ended]


def _is_service(pid: int) -> bool:
    """The MongoDB that a stage started leads a session of its own, and may have found other users by now."""
    return os.getsid(pid) == pid


def _owner(folder: Path, pid: int) -> str:
    return f"{folder}:{pid}"


def _signal_group(group: int, which: int) -> bool:
    """Whether anyone was there to hear it."""
    try:
        os.killpg(group, which)
    except ProcessLookupError:
        return False
    return True
