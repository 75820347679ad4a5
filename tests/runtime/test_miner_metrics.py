"""How a hotkey stands, told to Prometheus: with a chain, with one that is away, and with none at all."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest

from inference_runtime.errors import Fixable
from inference_runtime.miner import standing
from inference_runtime.miner.chain import Absent
from inference_runtime.miner.exporter import Watcher
from inference_runtime.miner.standing import Standing

ROOT = Path(__file__).parents[2]
SDK = ROOT / ".envs" / "miner" / "bin" / "python"
CHAIN = SimpleNamespace(
    hotkeys=["owner", "better", "ours", "idle"],
    I=[0.5, 0.3, 0.2, 0.0],
    E=[5.0, 3.0, 2.0, 0.0],
    S=[9.0, 0.0, 1.5, 0.0],
    block=7_000_000,
)


def told(known: Standing) -> dict[str, float]:
    return {
        name: float(value) for name, value in re.findall(r"(?m)^subnet_(\w+) (\S+)$", standing.text(known))
    }


def test_a_registered_hotkey_has_rank_incentive_and_the_burn() -> None:
    found = standing.of(CHAIN, "owner", 0.25, "ours")
    assert (found.uid, found.rank, found.incentive, found.emission, found.stake) == (2, 3, 0.2, 2.0, 1.5)
    assert (found.burn, found.neurons, found.registration_tao) == (0.5, 4, 0.25)
    figures = told(found)
    assert figures["registered"] == figures["chain_up"] == 1 and figures["chain_age_seconds"] < 60
    assert figures["block"] == 7_000_000


def test_a_stranger_is_told_as_not_registered() -> None:
    figures = told(standing.of(CHAIN, "gone", None, "stranger"))
    assert figures["registered"] == 0 and figures["burn"] == 0
    assert not figures.keys() & {"uid", "rank", "incentive", "registration_tao"}


def test_a_subnet_that_pays_nobody_has_no_burn() -> None:
    quiet = SimpleNamespace(**vars(CHAIN) | {"I": [0.0] * 4})
    assert standing.of(quiet, "owner", None, "ours").burn is None


def test_a_chain_that_goes_away_leaves_what_it_said_before(tmp_path: Path) -> None:
    file, answers = tmp_path / "chain.json", [standing.of(CHAIN, "owner", 0.25, "ours")]

    def ask() -> Standing:
        if not answers:
            raise Absent("chain finney: nothing within 60 s")
        return answers.pop()

    watcher = Watcher(file, ask)
    assert told(watcher.now) == {"chain_up": 0}
    watcher.refresh()
    assert told(watcher.now)["chain_up"] == 1
    watcher.refresh()
    figures = told(watcher.now)
    assert (figures["chain_up"], figures["rank"], figures["registered"]) == (0, 3, 1)
    assert told(Watcher(file, None).now)["rank"] == 3, "a restart remembers it"


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "chain.json").write_text('{"unknown": 1}')
    with pytest.raises(Fixable, match=r"chain.json: is no standing .*; remove it"):
        standing.load(tmp_path / "chain.json")


def test_the_exporter_tells_what_is_remembered_without_sdk_and_chain(tmp_path: Path) -> None:
    standing.save(standing.of(CHAIN, "owner", 0.25, "ours"), tmp_path / "chain.json")
    command = [sys.executable, "-m", "inference_runtime", "miner", "--metrics", "--offline"]
    flags = ["--address", "ours", "--metrics-port", "0", "--standing", "chain.json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [*command, *flags], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stderr
        url = child.stderr.readline().split()[2]
        with urllib.request.urlopen(url, timeout=20) as answer:
            body = answer.read().decode()
        assert "subnet_chain_up 0\n" in body and "subnet_rank 3\n" in body
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(url.replace("/metrics", "/else"), timeout=20)
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=20) == 0


def test_a_missing_wallet_or_sdk_is_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "inference_runtime", "miner", "--metrics", "--wallets", str(tmp_path)]
    done = subprocess.run([*command, "--offline"], capture_output=True, text=True)
    assert done.returncode == 1 and "make one with btcli" in done.stderr
    done = subprocess.run([*command, "--address", "ours"], capture_output=True, text=True)
    assert done.returncode == 1 and "bittensor is not here; make env-miner" in done.stderr


REAL = """
import json, sys
import numpy as np
from bittensor import Metagraph
from bittensor.utils.balance import Balance
from inference_runtime.miner import standing
seen = Metagraph(netuid=72, network="finney", sync=False)
seen.axons = [type("Axon", (), {"hotkey": key})() for key in ("owner", "ours")]
seen.incentive = np.array([0.75, 0.25], dtype=np.float32)
seen.emission = np.array([3.0, 1.0], dtype=np.float32)
seen.stake = seen.total_stake = np.array([9.0, 2.0], dtype=np.float32)
seen.block = seen._create_tensor(7_000_000, dtype=np.int64)
found = standing.of(seen, "owner", Balance.from_tao(0.5), "ours")
print(json.dumps([found.uid, found.rank, found.incentive, found.burn, found.registration_tao, found.stake]))
"""


@pytest.mark.skipif(not SDK.exists(), reason="no bittensor here; make env-miner")
def test_a_real_metagraph_is_read() -> None:
    done = subprocess.run([str(SDK), "-c", REAL], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == [1, 2, 0.25, 0.75, 0.5, 2.0]


@pytest.mark.skipif(not SDK.exists(), reason="no bittensor here; make env-miner")
def test_an_absent_chain_is_a_state() -> None:
    code = (
        "from inference_runtime.miner import chain\n"
        "try: chain.standing('ws://127.0.0.1:9', 72, 'ours', 20)\nexcept chain.Absent as error: print(error)"
    )
    done = subprocess.run([str(SDK), "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.stdout.startswith("chain ws://127.0.0.1:9: "), done.stderr[-2000:]
