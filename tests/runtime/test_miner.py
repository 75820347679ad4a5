"""Real Dendrites of two versions against the real miner, on loopback and without a chain."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from inference_runtime.bundle import Bundle
from inference_runtime.journal import Entry, read, segments

ROOT = Path(__file__).parents[2]
MINER = ROOT / ".envs" / "miner" / "bin" / "python"
DENDRITES = {
    version: ROOT / ".envs" / f"dendrite-{version}" / "bin" / "python" for version in ("9.12.2", "10.5.0")
}
ASK = Path(__file__).parent / "dendrites" / "ask.py"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not MINER.exists(), reason="bittensor is not here; make env-miner"),
]

MAKE_WALLETS = """
import sys
from bittensor_wallet import Wallet
for name in ("miner/hot", "validator/known", "validator/small", "validator/unknown"):
    wallet = Wallet(name=name.split("/")[0], hotkey=name.split("/")[1], path=sys.argv[1])
    wallet.create_if_non_existent(coldkey_use_password=False, hotkey_use_password=False, suppress=True)
    print(wallet.hotkey.ss58_address)
"""

SLOW = """
import time
from inference_runtime.engines.onnx import OnnxEngine
fast, calls = OnnxEngine.logits, []
def logits(self, pixels):
    calls.append(1)
    if len(calls) > 2:  # proved first
        time.sleep(4)
    return fast(self, pixels)
OnnxEngine.logits = logits
"""
RUN = "import sys; from inference_runtime.__main__ import main; sys.exit(main())"


@dataclass
class Mining:
    process: subprocess.Popen[str]
    port: int
    folder: Path
    ss58: list[str]
    picture: Path

    def asked(self, version: str, *cases: str) -> dict[str, Any]:
        python = DENDRITES[version]
        if not python.exists():
            pytest.skip("the dendrites are not here; make env-dendrites")
        done = subprocess.run(
            [str(python), str(ASK), str(self.folder / "wallets"), self.ss58[0], str(self.port),
             str(self.picture), *cases],
            capture_output=True, text=True, timeout=120, env=os.environ | {"BT_NO_PARSE_CLI_ARGS": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        return dict(json.loads(done.stdout.splitlines()[-1]))

    def entries(self) -> list[Entry]:
        found = [one for file in segments(self.folder / "journal") for one in read(file)]
        return [one for one in found if isinstance(one, Entry)]


@pytest.fixture(scope="module")
def wallets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("wallets")
    made = subprocess.run(
        [str(MINER), "-c", MAKE_WALLETS, str(folder)], capture_output=True, text=True, check=True
    )
    return folder, [line for line in made.stdout.split() if line.startswith("5") and len(line) == 48]


@pytest.fixture
def mine(
    tmp_path: Path, wallets: tuple[Path, list[str]], make_bundle: Callable[..., Bundle],
    make_picture: Callable[..., bytes],
) -> Iterator[Callable[..., Mining]]:  # fmt: skip
    started: list[subprocess.Popen[str]] = []

    def run(prelude: str = "", *flags: str, answers: list[str] | None = None) -> Mining:
        (tmp_path / "wallets").symlink_to(wallets[0])
        (tmp_path / "bright.jpg").write_bytes(make_picture(220))
        neurons = tmp_path / "neurons.json"
        neurons.write_text(json.dumps(crowd(wallets[1])))
        port = free_port()
        how = answers or ["--bundle", str(make_bundle().folder), "--journal", str(tmp_path / "journal")]
        process = subprocess.Popen(
            [str(MINER), "-c", prelude + RUN, "miner", *how, "--offline", "--neurons", str(neurons),
             "--wallets", str(wallets[0]), "--wallet", "miner", "--hotkey", "hot", "--max-mb", "2",
             "--host", "127.0.0.1", "--port", str(port), "--external-ip", "127.0.0.1", *flags],
            stderr=subprocess.PIPE, text=True, cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT), "BT_NO_PARSE_CLI_ARGS": "1"},
        )  # fmt: skip
        started.append(process)
        wait_for(port, process)
        return Mining(process, port, tmp_path, wallets[1], tmp_path / "bright.jpg")

    yield run
    for process in started:
        process.kill()
        process.communicate()


def crowd(ss58: list[str]) -> dict[str, Any]:
    known, small = ({"uid": n, "stake": 1000.0 / n, "permit": n == 1, "shared": 1.0} for n in (1, 2))
    miner = {"uid": 0, "stake": 0.0, "permit": False, "shared": None}
    hotkeys = {ss58[0]: miner, ss58[1]: known, ss58[2]: small}
    return {"at": time.time(), "block": 1, "hotkeys": hotkeys}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    process.kill()
    raise AssertionError(process.communicate()[1])


@pytest.mark.parametrize("version", list(DENDRITES))
def test_each_caller_gets_what_is_due(mine: Callable[..., Mining], version: str) -> None:
    mining = mine()
    cases = ("valid", "unsigned", "impostor", "unknown", "no permit", "no image", "huge", "replayed", "stale",
             "stretched", "crowd")  # fmt: skip
    got = mining.asked(version, *cases)
    assert got["valid"]["status"] == 200 and 0.5 < got["valid"]["prediction"] <= 1.0
    assert [got[case]["status"] for case in ("unsigned", "impostor", "unknown", "no permit")] == [
        401,
        401,
        403,
        403,
    ]
    assert "empty signature" in got["unsigned"]["message"]
    assert "not registered" in got["unknown"]["message"]
    assert "no validator permit" in got["no permit"]["message"]
    assert got["no image"]["status"] == 422 and got["no image"]["message"].startswith("image:")
    assert got["huge"]["status"] == 413 and "over the limit of 2 MiB" in got["huge"]["message"]
    assert [one["status"] for one in got["replayed"]] == [200, 401]
    assert got["replayed"][0]["prediction"] == got["valid"]["prediction"]
    assert got["stale"]["status"] == 401 and "60." in got["stale"]["message"]
    assert got["stretched"]["status"] == 401, "the unsigned timeout opens no window"
    assert {one["prediction"] for one in got["crowd"]} == {got["valid"]["prediction"]}
    mining.process.terminate()
    _, said = mining.process.communicate(timeout=20)
    assert mining.process.returncode == 0 and "stopped" in said and "Traceback" not in said
    assert len(mining.entries()) == 1 + 1 + 12, "what was refused is not journalled"
    assert {entry.p for entry in mining.entries()} == {got["valid"]["prediction"]}


@pytest.mark.parametrize("version", list(DENDRITES))
def test_a_slow_model_costs_the_answer_and_not_the_timeout(mine: Callable[..., Mining], version: str) -> None:
    got = mine(SLOW).asked(version, "slow")["slow"]
    assert (got["status"], got["prediction"]) == (200, 0.5), got
    assert float(got["took"]) < 3.0


def test_a_thin_axon_before_a_server_outlives_its_restart(
    mine: Callable[..., Mining], start: Callable[..., Any], make_bundle: Callable[..., Bundle]
) -> None:
    server = start(make_bundle())
    mining = mine(answers=["--url", f"http://127.0.0.1:{server.port}"])
    got = mining.asked("10.5.0", "valid", "no image")
    assert got["valid"]["prediction"] == server.predict(mining.picture.read_bytes())[1]["p"]
    assert got["no image"]["status"] == 422
    server.stop()
    assert mining.asked("10.5.0", "slow")["slow"]["prediction"] == 0.5


def check(*flags: str, cwd: Path) -> tuple[int, dict[str, tuple[str, str]]]:
    done = subprocess.run(
        [str(MINER), "-m", "inference_runtime", "miner", "--check", *flags],
        capture_output=True, text=True, cwd=cwd, timeout=100,
        env=os.environ | {"PYTHONPATH": str(ROOT), "BT_NO_PARSE_CLI_ARGS": "1"},
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    lines = re.findall(r"(?m)^(ok|warn|fail) +([a-z]+): (.+)$", done.stdout)
    return done.returncode, {what: (state, said) for state, what, said in lines}


def test_check_says_what_is_well(mine: Callable[..., Mining], wallets: tuple[Path, list[str]]) -> None:
    mining = mine()
    if DENDRITES["10.5.0"].exists():
        mining.asked("10.5.0", "valid")
    flags = ("--bundle", "bundle", "--journal", "journal", "--offline", "--port", str(mining.port))
    who = ("--wallets", str(wallets[0]), "--wallet", "miner", "--hotkey", "hot")
    status, lines = check(*flags, *who, cwd=mining.folder)
    assert status == 0
    states = {what: state for what, (state, _) in lines.items()}
    wanted = dict.fromkeys(("bittensor", "hotkey", "bundle", "registered", "weights", "port"), "ok")
    assert states == {**wanted, "chain": "warn", "challenges": "ok"}, lines


def test_check_without_anything_is_a_list_and_no_crash(tmp_path: Path) -> None:
    status, lines = check("--network", "ws://127.0.0.1:9", "--wallets", "nowhere", cwd=tmp_path)
    assert status == 1 and len(lines) == 8
    assert lines["chain"][0] == "fail" and "remembers nobody" in lines["chain"][1]
    assert "btcli" in lines["hotkey"][1] and lines["bundle"][0] == "fail"


def test_a_miner_that_can_not_start_says_why_in_one_line(tmp_path: Path) -> None:
    for flags, says in (((), "--bundle to answer with"), (("--bundle", "b"), "--journal")):
        done = subprocess.run(
            [sys.executable, "-m", "inference_runtime", "miner", *flags],
            capture_output=True, text=True, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert (done.returncode, done.stderr.count("\n")) == (1, 1) and says in done.stderr
