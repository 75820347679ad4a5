import hashlib
import os
import signal
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path

import pytest

from inference_runtime import images, segment
from inference_runtime.errors import Fixable
from inference_runtime.journal import Broken, Entry, Journal, read, segments
from inference_runtime.predictor import Answer

APPEND_FOREVER = """
import hashlib, sys
from pathlib import Path
from inference_runtime.journal import Journal
from inference_runtime.predictor import Answer

journal = Journal(Path(sys.argv[1]), segment_bytes=20_000)
for n in range(int(sys.argv[2])):
    data = f"{sys.argv[3]} {n}".encode() * 50
    answer = Answer(0.5, 0.0, hashlib.sha256(data).hexdigest(), "b" * 16, 640, 360)
    print(journal.append(answer, data, 1.0), flush=True)
journal.close()
"""


def answer_for(data: bytes, p: float = 0.25) -> Answer:
    return Answer(p, -1.0986, hashlib.sha256(data).hexdigest(), "b" * 16, 640, 360)


def fill(folder: Path, count: int = 3) -> Path:
    """A closed segment."""
    journal = Journal(folder)
    for n in range(count):
        journal.append(answer_for(b"%d" % n), b"%d" % n, 1.5)
    journal.close()
    return segments(folder)[0]


def everything(folder: Path) -> list[Entry | Broken]:
    return [found for file in segments(folder) for found in read(file)]


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    id = journal.append(answer_for(b"picture"), b"picture", 3.14159)
    (file,) = segments(tmp_path)
    assert file.suffix == ".open"
    (entry,) = read(file)
    assert isinstance(entry, Entry)
    assert entry.id == id == f"{file.stem}-1"
    assert (entry.p, entry.bundle, entry.width, entry.height, entry.ms) == (0.25, "b" * 16, 640, 360, 3.142)
    assert len(entry.at) == len("2026-11-20T22:45:01.123456Z") and entry.at.endswith("Z")
    assert images.place(tmp_path / "images", entry.image).read_bytes() == b"picture"
    journal.close()
    assert [file.suffix for file in segments(tmp_path)] == [".log"]
    assert list(read(file)) == [entry], "a name listed before the segment was closed still reads"


def test_a_line_older_than_requests_and_roles_was_an_answer_given(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(answer_for(b"1"), b"1", 1.0, "4f", "shadow")
    journal.close()
    (file,) = segments(tmp_path)
    (entry,) = read(file)
    assert isinstance(entry, Entry) and (entry.request, entry.role) == ("4f", "shadow")
    old = {key: value for key, value in asdict(entry).items() if key not in ("request", "role")}
    file.write_bytes(segment.line_of(old) + segment.line_of(old | {"role": 3}))
    first, second = read(file)
    assert isinstance(first, Entry) and (first.request, first.role) == ("", "serve")
    assert isinstance(second, Broken) and second.reason == "role is of the wrong type"


def test_an_image_is_stored_once_and_journalled_twice(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(answer_for(b"same"), b"same", 1.0)
    (image,) = (tmp_path / "images").rglob("*.jpg")
    first = image.stat().st_ino
    journal.append(answer_for(b"same"), b"same", 1.0)
    journal.close()
    assert len(everything(tmp_path)) == journal.written == 2
    assert [file.stat().st_ino for file in (tmp_path / "images").rglob("*.jpg")] == [first], (
        "not written again"
    )
    assert list((tmp_path / "drafts").iterdir()) == []


def test_a_journal_without_answers_leaves_no_segment(tmp_path: Path) -> None:
    Journal(tmp_path).close()
    assert segments(tmp_path) == []


def test_many_threads_lose_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment_bytes=2_000)
    ids: list[str] = []

    def append(start: int) -> None:
        for n in range(start, start + 20):
            ids.append(journal.append(answer_for(b"%d" % n), b"%d" % n, 1.0))

    threads = [threading.Thread(target=append, args=(start,)) for start in range(0, 160, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    found = [entry.id for entry in everything(tmp_path) if isinstance(entry, Entry)]
    assert sorted(found) == sorted(ids) and len(set(ids)) == 160
    assert len(segments(tmp_path)) > 5, "rotated"
    assert all(file.suffix == ".log" for file in segments(tmp_path))


@pytest.mark.parametrize("kind", [".open", ".log"])
def test_a_line_cut_at_any_byte_is_never_misread(tmp_path: Path, kind: str) -> None:
    whole = fill(tmp_path).read_bytes()
    first_two = list(read(segments(tmp_path)[0]))[:2]
    start = whole.rindex(b"\n", 0, -1) + 1
    cut_file = tmp_path / f"cut{kind}"
    for end in range(start + 1, len(whole)):
        cut_file.write_bytes(whole[:end])
        found = list(read(cut_file))
        assert found[:2] == first_two
        silence: list[Entry | Broken] = []
        assert found[2:] == (silence if kind == ".open" else [Broken(cut_file, 3, "unfinished line")])


def test_every_flipped_byte_is_noticed(tmp_path: Path) -> None:
    file = fill(tmp_path)
    whole = file.read_bytes()
    for place in range(len(whole)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        found = list(read(file))
        assert any(isinstance(one, Broken) for one in found), place
        assert len([one for one in found if isinstance(one, Entry)]) >= 1, "the neighbours still read"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "checksum"),
        (b"\x00" * 40, "checksum"),
        (segment.line_of({"id": "x"})[:-1], "at is missing"),
        (segment.line_of({"id": 3})[:-1], "id is missing or of the wrong type"),
    ],
)
def test_a_foreign_line_is_broken_with_its_number(tmp_path: Path, content: bytes, reason: str) -> None:
    file = fill(tmp_path, count=1)
    file.write_bytes(file.read_bytes() + content + b"\n" + file.read_bytes())
    first, broken, third = read(file)
    assert isinstance(broken, Broken) and first == third
    assert (broken.segment, broken.line) == (file, 2) and reason in broken.reason


def test_a_segment_left_by_a_kill_is_closed_at_the_next_start(tmp_path: Path) -> None:
    file = fill(tmp_path)
    entries = list(read(file))
    left = file.rename(file.with_suffix(".open"))
    left.write_bytes(left.read_bytes() + b'8c0ffee1 {"id": "ha')
    Journal(tmp_path).close()
    assert segments(tmp_path) == [file]
    assert list(read(file)) == entries, "the half line was never acknowledged, and is gone"


def test_a_left_segment_with_nothing_whole_disappears(tmp_path: Path) -> None:
    Journal(tmp_path).close()
    (tmp_path / "segments" / "20261120T000000Z-00000000.open").write_bytes(b"x" * 200_000)
    Journal(tmp_path).close()
    assert segments(tmp_path) == []


def test_a_living_neighbour_keeps_its_segment(tmp_path: Path) -> None:
    one = Journal(tmp_path)
    one.append(answer_for(b"1"), b"1", 1.0)
    two = Journal(tmp_path)
    assert [file.suffix for file in segments(tmp_path)] == [".open"]
    two.append(answer_for(b"2"), b"2", 1.0)
    one.append(answer_for(b"3"), b"3", 1.0)
    one.close()
    two.close()
    assert len(everything(tmp_path)) == 3 and len(segments(tmp_path)) == 2


def test_old_drafts_are_swept_and_young_ones_left(tmp_path: Path) -> None:
    Journal(tmp_path).close()
    old, young = tmp_path / "drafts" / "old", tmp_path / "drafts" / "young"
    old.touch()
    young.touch()
    os.utime(old, (0, 0))
    Journal(tmp_path).close()
    assert list((tmp_path / "drafts").iterdir()) == [young]


@pytest.mark.parametrize("after", [1, 40, 170])
def test_killed_while_appending(tmp_path: Path, after: int) -> None:
    """Two write, one is killed: nothing acknowledged is lost, nothing is misread, no image misses."""
    command = [sys.executable, "-c", APPEND_FOREVER, str(tmp_path)]
    doomed = subprocess.Popen([*command, "100000", "doomed"], stdout=subprocess.PIPE, text=True)
    neighbour = subprocess.Popen([*command, "60", "neighbour"], stdout=subprocess.PIPE, text=True)
    assert doomed.stdout is not None
    acknowledged = [doomed.stdout.readline().strip() for _ in range(after)]
    doomed.send_signal(signal.SIGKILL)
    acknowledged += doomed.stdout.read().split()  # said before the kill, read after it
    kept = neighbour.communicate(timeout=30)[0].split()
    doomed.wait(timeout=30)

    during = everything(tmp_path)
    Journal(tmp_path).close()
    after_recovery = everything(tmp_path)
    entries = [one for one in after_recovery if isinstance(one, Entry)]
    assert after_recovery == entries == during, "not one broken line, before or after recovery"
    ids = [entry.id for entry in entries]
    assert len(ids) == len(set(ids))
    assert set(acknowledged) | set(kept) <= set(ids)
    assert len(kept) == 60
    for entry in entries:
        data = images.place(tmp_path / "images", entry.image).read_bytes()
        assert hashlib.sha256(data).hexdigest() == entry.image
    assert all(file.suffix == ".log" for file in segments(tmp_path))


def full_once(monkeypatch: pytest.MonkeyPatch, after_bytes: int) -> None:
    """The disk takes some bytes, then is full for one call, then is empty again."""
    write, room = os.write, [after_bytes]

    def partial(handle: int, data: memoryview) -> int:
        if room[0] > 0:
            taken = write(handle, data[: room[0]])
            room[0] -= taken
            return taken
        monkeypatch.setattr(os, "write", write)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", partial)


@pytest.mark.parametrize("taken", [2, 4, 50])
def test_a_full_disk_loses_one_entry_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    """Full while writing the image (4 bytes), between, and within the line."""
    journal = Journal(tmp_path)
    first = journal.append(answer_for(b"one!"), b"one!", 1.0)
    full_once(monkeypatch, after_bytes=taken)
    with pytest.raises(OSError, match="No space left"):
        journal.append(answer_for(b"two!"), b"two!", 1.0)
    third = journal.append(answer_for(b"six!"), b"six!", 1.0)
    journal.close()
    assert [one.id for one in everything(tmp_path) if isinstance(one, Entry)] == [first, third]
    assert not [one for one in everything(tmp_path) if isinstance(one, Broken)]
    assert (journal.written, journal.shed) == (2, 1)
    assert list((tmp_path / "drafts").iterdir()) == []


def test_a_disk_far_behind_sheds_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference_runtime.journal.WAITING_BYTES", 10)
    disk = threading.Event()
    sync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (disk.wait(10), sync(handle)))
    journal = Journal(tmp_path)
    submitted = [journal.submit(answer_for(b"12345678%d" % n), b"12345678%d" % n, 1.0) for n in range(9)]
    late = submitted[-1].exception(timeout=5)
    assert isinstance(late, OSError) and "too slow" in str(late)
    disk.set()
    assert submitted[0].result(timeout=5)
    journal.close()
    assert journal.written + journal.shed == 9 and journal.shed >= 7


def test_a_folder_that_can_not_be_one_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Fixable, match=r"journal .*/file: .*; name a folder") as caught:
        Journal(tmp_path / "file")
    assert "\n" not in str(caught.value)


def test_a_closed_journal_takes_no_more(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.close()
    with pytest.raises(RuntimeError, match="closed"):
        journal.append(answer_for(b"x"), b"x", 1.0)
