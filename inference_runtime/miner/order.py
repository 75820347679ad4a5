"""What the command line of the miner asks for."""

from dataclasses import dataclass
from pathlib import Path

from inference_runtime.miner.rules import Rules


@dataclass(frozen=True)
class Order:
    bundle: Path | None
    url: str | None
    journal: Path | None
    profile: str
    threads: int | None
    wallet: str
    hotkey: str
    wallets: Path
    netuid: int
    network: str
    is_offline: bool
    neurons: Path
    host: str
    port: int
    external_ip: str | None
    timeout: float
    body_bytes: int
    announces: bool
    rules: Rules
    address: str | None = None  # of the hotkey that is watched, if not the wallet's
    standing: Path = Path("chain.json")
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = None
