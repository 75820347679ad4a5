"""Copies of the house: small each night, whole when they are brought back, never quietly wrong."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from inference_runtime.errors import Away, Fixable
from inference_runtime.ship import patience
from pipeline.chores.copies import keep, restore, vault
from pipeline.chores.copies.manifest import BLOCKS, MANIFESTS, unpacked

STORE = "elsewhere"


def params(keep: int = 3) -> Any:
    return SimpleNamespace(
        backup=SimpleNamespace(store=STORE, keep=keep), people=SimpleNamespace(dataset=None)
    )


@pytest.fixture
def house(home: Path) -> Path:
    for name, text in {
        "dvc.yaml": "stages: {}\n",
        "params.yaml": "numbers\n",
        ".dvc/config": "[core]\n",
        ".dvc/cache/files/md5/ab/cd": "an artifact",
        ".dvc/tmp/lock": "of a process",
        "var/images/ab/abcd.jpg": "a picture",
        "var/hub/champion.json": "{}",
        "var/services/mongo.json": "of a process",
        "var/images/ab/.half.17": "a draft",
    }.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    (home / ".dvc/cache/files/md5/ab/cd").chmod(0o444)
    return home


def files(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    return {
        str(file.relative_to(folder)): (file.read_bytes(), file.stat().st_mode, file.stat().st_mtime_ns)
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def count(prefix: str) -> int:
    return len(vault.at(STORE).names(prefix))


def lose(house: Path) -> None:
    for name in ("var", ".dvc/cache"):
        shutil.rmtree(house / name)


def test_what_was_lost_comes_back_as_it_was(house: Path) -> None:
    before = files(house)
    keep.run(params())
    lose(house)
    restore.run(STORE, None, over=False)
    (house / "artifacts/.lock").unlink()
    shutil.rmtree(house / STORE)
    left_out = {"var/services/mongo.json", "var/images/ab/.half.17"}
    assert files(house) == {name: told for name, told in before.items() if name not in left_out}


def test_the_next_copy_holds_only_what_is_new(house: Path) -> None:
    keep.run(params())
    blocks = count(BLOCKS)
    keep.run(params())
    assert count(BLOCKS) == blocks
    (house / "var/images/ab/abce.jpg").write_text("another picture")
    (house / "var/images/ab/same.jpg").write_text("a picture")
    keep.run(params())
    assert (count(BLOCKS), count(MANIFESTS)) == (blocks + 1, 3)


def test_of_a_file_that_grew_only_its_end_is_copied(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (keep, restore):
        monkeypatch.setattr(module, "BLOCK", 4)
    database = house / "var/features.sqlite"
    database.write_bytes(b"aaaabbbbcc")
    keep.run(params())
    blocks = count(BLOCKS)
    database.write_bytes(b"aaaabbbbccdd")
    keep.run(params())
    assert count(BLOCKS) == blocks + 1
    database.unlink()
    restore.run(STORE, None, over=False)
    assert database.read_bytes() == b"aaaabbbbccdd"


def test_old_copies_go_with_what_only_they_named(house: Path) -> None:
    (house / "var/once").write_text("only in the first copy")
    keep.run(params(keep=2))
    first = restore.listed(STORE)[0]
    blocks = count(BLOCKS)
    (house / "var/once").unlink()
    for _ in range(2):
        keep.run(params(keep=2))
    assert count(MANIFESTS) == 2
    assert count(BLOCKS) == blocks - 1
    assert first not in restore.listed(STORE)
    with pytest.raises(Fixable, match=f"--at: {first}: no such copy in elsewhere"):
        restore.run(STORE, first, over=False)


def test_an_older_copy_can_be_chosen(house: Path) -> None:
    keep.run(params())
    first = restore.listed(STORE)[0]
    (house / "var/hub/champion.json").write_text('{"later": 1}')
    keep.run(params())
    restore.run(STORE, first, over=True)
    assert (house / "var/hub/champion.json").read_text() == "{}"


def test_a_copy_that_was_cut_off_does_not_count_and_the_next_one_takes_it_up(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, left = vault.Folder.put, 2

    def cut(self: vault.Folder, name: str, data: bytes) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        put(self, name, data)

    monkeypatch.setattr(vault.Folder, "put", cut)
    with pytest.raises(KeyboardInterrupt):
        keep.run(params())
    assert restore.listed(STORE) == [] and count(BLOCKS) == 2
    left = 100
    keep.run(params())
    lose(house)
    restore.run(STORE, None, over=False)
    assert (house / "var/images/ab/abcd.jpg").read_text() == "a picture"


def test_what_stands_there_is_not_lost_by_accident(house: Path) -> None:
    keep.run(params())
    (house / "var/hub/champion.json").write_text("newer")
    with pytest.raises(Fixable, match=r"var/hub/champion.json: there already, and not as it was"):
        restore.run(STORE, None, over=False)
    assert (house / "var/hub/champion.json").read_text() == "newer"


def test_an_altered_or_missing_block_is_named(house: Path) -> None:
    keep.run(params())
    manifest = unpacked(vault.at(STORE).get(vault.at(STORE).names(MANIFESTS)[0]))
    [file] = [file for file in manifest.files if file.path.endswith("abcd.jpg")]
    block = next((house / STORE).rglob(file.blocks[0]))
    lose(house)
    block.write_text("another")
    with pytest.raises(Fixable, match=r"altered since it was kept; var/images/ab/abcd.jpg needs it"):
        restore.run(STORE, None, over=False)
    assert not (house / "var/images/ab/abcd.jpg").exists()
    block.unlink()
    with pytest.raises(Fixable, match=r"gone from the copies; var/images/ab/abcd.jpg needs it"):
        restore.run(STORE, None, over=False)


def test_a_store_without_copies_is_named(house: Path) -> None:
    with pytest.raises(Fixable, match="--store: nowhere: holds no copy of a house"):
        restore.run("nowhere", None, over=False)


def test_a_store_inside_the_house_does_not_copy_itself(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = params()
    inside.backup.store = "var/backup"
    for _ in range(2):
        keep.run(inside)
    newest = vault.at("var/backup").names(MANIFESTS)[-1]
    told = unpacked(vault.at("var/backup").get(newest))
    assert not [file.path for file in told.files if file.path.startswith("var/backup")]


@pytest.fixture
def bucket(s3_server: str) -> str:
    boto3.client("s3").create_bucket(Bucket="copies")
    return "s3://copies/house"


def test_a_bucket_keeps_copies_like_a_folder(
    house: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(house / "var/images")
    there = params(keep=1)
    there.backup.store = bucket
    (house / "var/once").write_text("only in the first copy")
    keep.run(there)
    (house / "var/once").unlink()
    keep.run(there)
    assert len(restore.listed(bucket)) == 1
    lose(house)
    restore.run(bucket, None, over=False)
    before.pop("ab/.half.17")
    assert files(house / "var/images") == before
    with pytest.raises(FileNotFoundError):
        vault.at(bucket).get("blocks/none")
    with pytest.raises(Fixable, match=r"backup\.store: s3://nowhere.*create the bucket") as wrong:
        restore.listed("s3://nowhere")
    assert not isinstance(wrong.value, Away)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(patience, "FIRST_SECONDS", 0.01)
    with pytest.raises(Away, match="7 tries failed, run it again later"):
        restore.listed(bucket)
