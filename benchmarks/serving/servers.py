"""Starts a server, watches its processes, and leaves none of them behind."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from benchmarks.serving import pictures
from benchmarks.serving.entrants import Entrant
from benchmarks.serving.environments import interpreter
from benchmarks.serving.load import TOLERANCE
from benchmarks.serving.places import PEERS, ROOT
from benchmarks.serving.trees import cpu_seconds, family, proportional_mib

START_SECONDS = 90.0
STOP_SECONDS = 20.0
ASK_SECONDS = 10.0


class Server:
    """`start_s` is the time from its start to its first right answer."""

    def __init__(self, entrant: Entrant, bundle: Path, folder: Path, photos: Path) -> None:
        self.entrant = entrant
        self.port = _free_port()
        self._log = folder / f"{self.port}.log"
        self._photos = photos
        self._family: list[int] = []
        python = interpreter(entrant.peer)
        started = time.monotonic()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(python), *_command(entrant, bundle, self.port, folder)],
                cwd=PEERS,
                env=_environment(entrant, bundle, self.port, folder),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self._first_answer()
        except BaseException:
            self.stop()
            raise
        self.start_s = time.monotonic() - started

    @property
    def pid(self) -> int:
        return self._process.pid

    def pids(self) -> list[int]:
        return family(self.pid)

    def cpu(self) -> float:
        return cpu_seconds(self.pids())

    def mib(self) -> float:
        return proportional_mib(self.pids())

    def end(self) -> int | None:
        """SIGTERM, and the exit status if it ends in time."""
        self._family = self.pids()  # some leave children behind, which then are nobody's
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        return self._process.returncode

    def stop(self) -> None:
        if self._process.poll() is None:
            self.end()
        for pid in self._family:
            if _is_still(pid, self.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._process.wait()

    def said(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]

    def _first_answer(self) -> None:
        jpeg = min(self._photos.glob("*.jpg")).read_bytes()
        wanted = pictures.references(self._photos)[self.entrant.prepares][0]
        body = pictures.whole(jpeg, "json", 1)
        end = time.monotonic() + START_SECONDS
        while (p := _ask(self.port, self.entrant.paths["json"], body)) is None:
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{self.entrant.title} does not answer:\n{self.said()}")
            time.sleep(0.01)
        if abs(p - wanted) > TOLERANCE:
            raise RuntimeError(f"{self.entrant.title} answers {p}, not {wanted}")


def _is_still(pid: int, session: int) -> bool:
    """Alive and of the session that was started here: a number may have gone to somebody else."""
    try:
        return os.getsid(pid) == session or os.getpgid(pid) == session
    except ProcessLookupError:
        return False


def _ask(port: int, path: str, body: bytes) -> float | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ASK_SECONDS)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        said = response.read()
        return float(json.loads(said)["p"]) if response.status == 200 else None
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return None
    finally:
        connection.close()


def _command(entrant: Entrant, bundle: Path, port: int, folder: Path) -> list[str]:
    program = f"{entrant.program}.py"
    match entrant.peer:
        case "runtime":
            flags = [flag.format(folder=folder) for flag in entrant.flags]
            return ["-m", "inference_runtime", "serve", "--bundle", str(bundle), "--port", str(port), *flags]
        case "mosec":
            address = ["--address", "127.0.0.1", "--port", str(port)]
            return [program, *address, "--timeout", "60000", "--log-level", "warning"]
        case "bentoml":
            service = f"{entrant.program}:Classifier"
            return ["-m", "bentoml", "serve", service, "--host", "127.0.0.1", "--port", str(port)]
        case _:
            return [program]


def _environment(entrant: Entrant, bundle: Path, port: int, folder: Path) -> dict[str, str]:
    inherited = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONHOME")}
    return inherited | {
        "PYTHONPATH": os.pathsep.join([str(PEERS), str(ROOT)]),
        "PYTHONDONTWRITEBYTECODE": "",
        "PORT": str(port),
        "MODEL": str(bundle / "model.onnx"),
        "PREPARES": entrant.prepares,
        "BENTOML_HOME": str(folder / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
        "RAY_USAGE_STATS_ENABLED": "0",
    }


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])
