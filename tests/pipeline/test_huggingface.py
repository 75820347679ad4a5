"""Publishing through the hub's real client, in a process of its own, against a server that fails anywhere."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import brightness
import hub_stand_in
import numpy as np
import pytest
import yaml
from hub_stand_in import TOKEN, StandIn
from safetensors.numpy import save_file

from pipeline import hub

ROOT = Path(__file__).parents[2]
REPO = "somebody/roadwork"
ADDRESS = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
COUNTED = {"hits": 970, "misses": 30, "rejections": 970, "alarms": 30}
NOTICE = "weights under the Apache License, Version 2.0\n"
PUBLISHED = ["LICENSE.md", "NOTICE", "README.md", "bundle.json", "head.safetensors", "model.onnx"]


def sealed(folder: Path, gain: float, notice: str = NOTICE, **more: bytes) -> str:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "NOTICE").write_text(notice)
    save_file({"head": np.full(4, gain, np.float32)}, folder / "head.safetensors")
    for name, data in more.items():
        (folder / name.replace("_", ".")).write_bytes(data)
    lineage = {"table": "0" * 64, "backbone": {"name": "tiny", "weights": "1" * 40}}
    return brightness.sealed(folder, 8, gain, lineage=lineage).id


@dataclass
class House:
    """A checkout's params and artifacts, and the commands that work on them."""

    folder: Path
    hub: StandIn
    url: str
    environment: dict[str, str] = field(default_factory=dict)

    def judged(self, gain: float, champion: str | None = None, value: str = "PASS", **given: Any) -> str:
        challenger = sealed(self.folder / "artifacts/export", gain, **given)
        verdict = {
            "value": value,
            "reasons": ["better than the champion"],
            "challenger": challenger,
            "champion": champion,
            "scores": {"challenger": {"accuracy": 0.97, "mcc": 0.94, "confusion": COUNTED}},
            "gold": {"n": 2000, "won": 50, "lost": 30, "gain": 0.01, "interval": [0.001, 0.019]},
            "replica": {"views": 4000, "mcc": [0.002, 0.031], "reward": [0.01, 0.05]},
            "slices": {
                "night": {"n": 120, "won": 4, "lost": 5, "gain": -0.008, "interval": [-0.06, 0.04]}
                | {"says": "not worse"}
            },
        }
        (self.folder / "artifacts/gate").mkdir(exist_ok=True)
        (self.folder / "artifacts/gate/verdict.json").write_text(json.dumps(verdict))
        return challenger

    def start(self, **environment: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "pipeline", "publish"],
            cwd=self.folder,
            env={**self.environment, **environment},
            stderr=subprocess.PIPE,
            text=True,
        )

    def publish(self, **environment: str) -> tuple[int, str]:
        process = self.start(**environment)
        said = process.communicate(timeout=120)[1]
        return process.returncode, said

    def published(self) -> None:
        code, said = self.publish()
        assert code == 0, said

    @property
    def receipt(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "artifacts/publish/receipt.json").read_text()))

    @property
    def repo(self) -> hub_stand_in.Repo:
        return self.hub.repos[REPO]

    def releases(self) -> list[str]:
        """Commits of main that are releases; whole ones, or this fails."""
        made = [commit for commit in self.repo.history() if commit.title != "initial commit"]
        for commit in made:
            assert set(PUBLISHED) <= set(commit.files)
        return [commit.title for commit in made]


@pytest.fixture
def house(home: Path) -> Iterator[House]:
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["hub"] |= {"kind": "huggingface", "repo": REPO}
    params["publish"] |= {"hotkey": ADDRESS}
    (home / "params.yaml").write_text(yaml.safe_dump(params))
    (home / "artifacts/assemble").mkdir(parents=True)
    (home / "artifacts/assemble/summary.json").write_text(json.dumps({"train": 1200, "dev": 300}))
    with hub_stand_in.served() as (hub, url):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "BUNDLE_", "SERVING_"))}
        environment = {**kept, "HF_ENDPOINT": url, "HF_TOKEN": TOKEN, "HF_HOME": str(home / "hf")}
        environment |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "PYTHONPATH": str(ROOT)}
        yield House(home, hub, url, environment)


def tried(ledger: bytes) -> list[str]:
    return [attempt.challenger for attempt in hub.ledger(ledger)]


def test_one_commit_one_tag_and_what_the_subnet_wants(house: House) -> None:
    challenger = house.judged(1.0)
    code, said = house.publish()
    assert (code, said) == (0, "publish: roadwork 1.0.0 is the champion\n"), said
    assert house.releases() == ["v1.0.0"]
    commit = house.repo.commits[house.repo.tags["v1.0.0"]]
    card = json.loads(commit.files["model_card.json"])
    assert (card["model_name"], card["version"], card["submitted_by"]) == ("roadwork", "1.0.0", ADDRESS)
    assert isinstance(card["submission_time"], int)
    manifest = json.loads(commit.files["bundle.json"])
    assert (manifest["id"], manifest["version"], manifest["verdict"]["value"]) == (
        challenger,
        "1.0.0",
        "PASS",
    )
    readme = commit.files["README.md"].decode()
    assert readme.startswith("---\nlicense: apache-2.0\n")
    for said in (
        "0.970 [0.962, 0.977]",
        "[+0.002, +0.031]",
        "| night | 120 | 4 | 5 | -0.008 [-0.060, +0.040] | not worse |",
        "1,200 train",
    ):
        assert said in readme
    assert house.receipt["version"] == "1.0.0" and len(house.receipt["files"]) == 3


def test_published_twice_is_published_once_with_the_same_receipt(house: House) -> None:
    house.judged(1.0)
    house.publish()
    first = house.receipt
    calls = house.hub.seen("POST .*/commit/main")
    house.published()
    assert (house.receipt, house.releases(), house.repo.tags.keys()) == (first, ["v1.0.0"], {"v1.0.0"})
    assert house.hub.seen("POST .*/commit/main") == calls


def test_the_next_one_replaces_every_file_and_keeps_the_ledger(house: House) -> None:
    first = house.judged(1.0, extra_json=b"{}")
    house.publish()
    second = house.judged(2.0, champion=first)
    house.published()
    assert list(house.repo.tags) == ["v1.0.0", "v1.1.0"]
    newest = house.repo.commits[house.repo.tags["v1.1.0"]]
    assert "extra.json" not in newest.files and ".gitattributes" in newest.files
    assert newest.parent == house.repo.tags["v1.0.0"]
    ledger = house.repo.history("ledger")[-1].files
    assert tried(ledger[f"attempts/{first}.json"]) == [second]


@pytest.mark.parametrize("value", ["FAIL", "INCONCLUSIVE"])
def test_what_did_not_pass_is_remembered_and_not_published(house: House, value: str) -> None:
    challenger = house.judged(1.0, value=value)
    house.published()
    assert house.receipt["published"] is False
    assert (house.releases(), house.repo.tags) == ([], {})
    assert tried(house.repo.history("ledger")[-1].files["attempts/none.json"]) == [challenger]


def test_a_token_that_may_not_write_is_one_line(house: House) -> None:
    house.judged(1.0)
    code, said = house.publish(HF_TOKEN="hf_wrong")
    assert code == 1 and said.count("\n") == 1
    assert f"HF_TOKEN: {house.url}/{REPO} answered 401; set a token that may write there" in said
    assert house.hub.repos == {}


def test_a_commit_in_between_is_seen_and_built_upon(house: House) -> None:
    """409 or 412: the parent is not the head any more. Nobody else released, so it goes on top."""
    house.judged(1.0)

    def edit() -> None:
        files = {**house.repo.commits[house.repo.branches["main"]].files, "README.md": b"hello"}
        house.repo.add("main", files, "initial commit")

    house.hub.fail("POST", "/commit/main", edit)
    house.published()
    assert house.releases()[-1:] == ["v1.0.0"] and list(house.repo.tags) == ["v1.0.0"]
    assert house.hub.seen("POST .*/commit/main") == 2


def test_a_409_is_a_conflict_as_well(house: House) -> None:
    house.judged(1.0)
    house.hub.fail("POST", "/commit/main", 409)
    house.published()
    assert (house.releases(), list(house.repo.tags)) == (["v1.0.0"], ["v1.0.0"])


def test_who_was_overtaken_by_another_release_is_refused(house: House) -> None:
    first = house.judged(1.0)
    house.publish()
    house.judged(2.0, champion=first)
    house.publish()
    house.judged(3.0, champion=first)
    code, said = house.publish()
    assert code == 1 and "run the night again" in said
    assert list(house.repo.tags) == ["v1.0.0", "v1.1.0"]


ILL = [("PUT", "/storage/"), ("POST", "/preupload/"), ("POST", "/commit/main"), ("POST", "/tag/")]
ILL += [("GET", "/refs"), ("GET", "/revision/"), ("HEAD", "/resolve/")]


@pytest.mark.parametrize("these", [ILL[::2], ILL[1::2]])
def test_a_hub_that_is_ill_for_a_while(house: House, these: list[tuple[str, str]]) -> None:
    house.judged(1.0)
    for method, what in these:
        house.hub.fail(method, what, 503)
    house.published()
    assert (house.releases(), list(house.repo.tags)) == (["v1.0.0"], ["v1.0.0"])


@pytest.mark.parametrize("after", [False, True])
def test_a_connection_that_is_cut_before_or_after_the_deed(house: House, after: bool) -> None:
    """At every deed of one publish."""
    house.judged(1.0)
    for method, what in (("PUT", "/storage/"), ("POST", "/commit/main"), ("POST", "/tag/")):
        house.hub.fail(method, what, "cut", after=after)
    house.published()
    assert (house.releases(), list(house.repo.tags)) == (["v1.0.0"], ["v1.0.0"])


KILLS = [("PUT", "/storage/", False), ("POST", "/commit/main", False)]
KILLS += [("POST", "/commit/main", True), ("POST", "/tag/", False), ("POST", "/tag/", True)]


@pytest.mark.slow
def test_killed_at_every_deed_in_turn_and_run_again(house: House) -> None:
    house.judged(1.0)
    for method, what, after in KILLS:
        tags = killed(house, method, what, after)
        assert tags == (["v1.0.0"] if (what, after) == ("/tag/", True) else [])
        assert not (house.folder / "artifacts/publish/receipt.json").exists()
    house.published()
    assert (house.releases(), list(house.repo.tags)) == (["v1.0.0"], ["v1.0.0"])
    assert house.receipt["published"]


def killed(house: House, method: str, what: str, after: bool) -> list[str]:
    """Publishing, ended the hard way before or after the hub did this; the tags there were then."""
    reached, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        reached.set()
        go_on.wait(60)
        if not after:
            raise hub_stand_in.Cut  # who asked is dead, and it was not done

    house.hub.fail(method, what, hold, after=after)
    process = house.start()
    assert reached.wait(60)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    tags = list(house.repo.tags)
    go_on.set()
    return tags


def test_a_hub_that_stays_ill_is_one_line_and_nothing_is_half_done(house: House) -> None:
    house.judged(1.0)
    house.hub.fail("POST", "/commit/main", 500, times=99)
    code, said = house.publish()
    assert code == 1 and "answered 500" in said and "goes on from there" in said
    assert (house.releases(), house.repo.tags) == ([], {})


def test_what_comes_back_altered_does_not_count(house: House) -> None:
    house.judged(1.0)

    def alter() -> None:
        for oid, data in house.hub.large.items():
            if b"brightness" in data:
                house.hub.large[oid] = data[:-1] + b"\x00"

    house.hub.fail("POST", "/commit/main", alter, after=True)
    code, line = house.publish()
    assert code == 1 and "does not count, nothing was tagged" in line
    assert house.repo.tags == {}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"weights_pt": b"PK\x03\x04"}, "only safetensors, ONNX and text are published"),
        ({"probe_npz": b"\x80\x04]\x94."}, "only safetensors, ONNX and text are published"),
        ({"notice": "license_name: dinov3-license"}, "holds no copy of it"),
    ],
)
def test_what_may_not_be_published_is_refused_before_the_hub_hears_of_it(
    house: House, given: dict[str, Any], said: str
) -> None:
    house.judged(1.0, **given)
    code, line = house.publish()
    assert code == 1 and said in line
    assert house.hub.seen("commit/main") == 0


def test_dinov3_carries_its_licence_on(house: House) -> None:
    notice = "weights of DINOv3 (license_name: dinov3-license)\n\n'Agreement' means the terms\n"
    house.judged(1.0, notice=notice)
    house.published()
    files = house.repo.history()[-1].files
    assert b"license: other\nlicense_name: dinov3-license\nlicense_link: LICENSE.md" in files["README.md"]
    assert files["LICENSE.md"].decode() == notice


def test_the_hotkey_that_submits_is_the_one_that_serves(house: House) -> None:
    house.judged(1.0)
    other = "5D4C69GW1Pg9dj4zofLhtg7xBLL6utM46k9Mv3za6wvjiYGD"
    code, said = house.publish(SERVING_HOTKEY=other)
    assert code == 1 and "the network pays only if they are the same" in said
    assert house.hub.seen("commit/main") == 0
    assert house.publish(SERVING_HOTKEY=ADDRESS)[0] == 0


PRELUDE = "from pathlib import Path\nfrom pipeline.hub.huggingface import Repository\n"


def shelf_says(house: House, what: str) -> str:
    """What another process reads off the hub."""
    script = f"{PRELUDE}shelf = Repository({REPO!r}, Path('var/elsewhere'))\n{what}"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=house.folder,
        env=house.environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_another_machine_reads_champion_attempts_and_bundle_off_the_hub(house: House) -> None:
    challenger = house.judged(1.0)
    house.publish()
    assert shelf_says(
        house, "print([r.bundle for r in shelf.releases()], [a.challenger for a in shelf.attempts(None)])"
    ) == (f"['{challenger}'] ['{challenger}']")
    assert shelf_says(house, f"print(shelf.fetch('{challenger}', Path('copy')).version)") == "1.0.0"
    shelf_says(house, f"shelf.withdraw('{challenger}', 'it saw ghosts')")
    said = "from pipeline import hub\nprint(hub.reigning(shelf), shelf.withdrawn())"
    assert shelf_says(house, said) == f"None {{'{challenger}': 'it saw ghosts'}}"
    code, line = house.publish()
    assert code == 0 and "it was withdrawn: it saw ghosts" in line


def test_two_machines_that_note_at_once_lose_nothing(house: House) -> None:
    house.judged(1.0)
    house.publish()

    def other() -> None:
        files = dict(house.repo.history("ledger")[-1].files)
        files["attempts/none.json"] = hub.with_attempt(None, hub.Attempt("another", "FAIL", "because"))
        house.repo.add("ledger", files, "attempts/none.json")

    house.hub.fail("POST", "/commit/ledger", other)
    shelf_says(
        house, "from pipeline.hub import Attempt\nshelf.record(None, Attempt('mine', 'FAIL', 'because'))"
    )
    found = tried(house.repo.history("ledger")[-1].files["attempts/none.json"])
    assert set(found) == {"another", "mine"}
