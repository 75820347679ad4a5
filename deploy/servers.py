"""A PostgreSQL and a Redis to try a deployment with: on loopback, with passwords, thrown away."""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from inference_runtime.errors import Fixable
from pipeline import drafts
from pipeline.services import records, supervise
from pipeline.services.records import Record
from pipeline.services.supervise import Service

POSTGRES, REDIS = "postgres", "redis"
ACCOUNT = "postgres"  # PostgreSQL does not run as root; Debian's package makes this one
INSTALL = "run `apt-get install -y postgresql redis-server`, or name yours in"


def postgres() -> str:
    """Its address for Airflow; started if it is not up."""
    binaries = _postgres_binaries()
    word = _password(POSTGRES)
    port = supervise.free_port(POSTGRES, 5472)
    if records.running(POSTGRES) is None:
        data = _initialised(binaries, word)
        flags = ["-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-c", "unix_socket_directories="]
        _start(POSTGRES, [*_as_its_account(), str(binaries / "postgres"), *flags], port)
        _created(binaries, word, port)
    return f"postgresql+psycopg2://airflow:{word}@127.0.0.1:{port}/airflow"


def redis() -> str:
    binary = shutil.which("redis-server")
    if binary is None:
        raise Fixable(f"redis-server: not found; {INSTALL} AIRFLOW__CELERY__BROKER_URL")
    word = _password(REDIS)
    port = supervise.free_port(REDIS, 6372)
    if records.running(REDIS) is None:
        lines = ("bind 127.0.0.1", f"port {port}", f"requirepass {word}", 'save ""', "appendonly no")
        configuration = records.services() / "redis.conf"
        _write_secret(configuration, "\n".join(lines) + "\n")
        _start(REDIS, [binary, str(configuration)], port)
    return f"redis://:{word}@127.0.0.1:{port}/0"


def _postgres_binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    named = shutil.which("postgres")
    if not found and named is None:
        raise Fixable(f"postgres: not found; {INSTALL} AIRFLOW__DATABASE__SQL_ALCHEMY_CONN")
    return found[-1].parent if found else Path(str(named)).parent


def _initialised(binaries: Path, word: str) -> Path:
    """A new one each time: what is thrown away need not be found again."""
    data = Path(tempfile.mkdtemp(prefix="retrain-postgres-"))
    given = data / "word"
    _write_secret(given, word)
    if os.geteuid() == 0:
        account = pwd.getpwnam(ACCOUNT)
        for place in (data, given):
            os.chown(place, account.pw_uid, account.pw_gid)
    flags = ["--username", "airflow", "--auth", "scram-sha-256", "--pwfile", str(given), "--no-sync"]
    _run([*_as_its_account(), str(binaries / "initdb"), "--pgdata", str(data / "db"), *flags])
    return data / "db"


def _created(binaries: Path, word: str, port: int) -> None:
    where = ["--host", "127.0.0.1", "--port", str(port), "--username", "airflow", "airflow"]
    _run([str(binaries / "createdb"), *where], PGPASSWORD=word)


def _as_its_account() -> list[str]:
    if os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--init-groups"]


def _start(name: str, command: list[str], port: int) -> None:
    supervise.start(
        Service(name=name, command=command, port=port, url=f"127.0.0.1:{port}", ready=_answers, patience=60)
    )


def _answers(record: Record) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", record.port), timeout=1):
            return supervise.listens(record)
    except OSError:
        return False


def _run(command: list[str], **environment: str) -> None:
    done = subprocess.run(
        command, env={**os.environ, **environment}, cwd="/", capture_output=True, text=True, timeout=120
    )
    if done.returncode:
        raise Fixable(f"{Path(command[0]).name}: {' '.join((done.stderr or done.stdout).split())[-300:]}")


def _password(name: str) -> str:
    """Made once per house; only its owner can read it."""
    file = records.services() / f"{name}.word"
    if not file.exists():
        _write_secret(file, secrets.token_hex(16))
    return file.read_text()


def _write_secret(file: Path, text: str) -> None:
    drafts.write(file, b"")
    file.chmod(0o600)
    file.write_text(text)
