import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from inference_runtime import images, segment
from inference_runtime.errors import Fixable
from inference_runtime.journal import Broken, Entry, Journal, read, segments
from inference_runtime.keeping import Keeping
from inference_runtime.predictor import Answer
from inference_runtime.retention import forget_images, forget_old

APPEND_FOREVER = """
import hashlib, sys
from pathlib import Path
from inference_runtime.journal import Journal
from inference_runtime.keeping import Keeping
from inference_runtime.predictor import Answer

journal = Journal(Path(sys.argv[1]), Keeping(segment_bytes=20_000))
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
    old = {key: value for key, value in entry.said().items() if key not in ("request", "role")}
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
    journal = Journal(tmp_path, Keeping(segment_bytes=2_000))
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


@pytest.mark.parametrize("taken", [4, 50])
def test_a_full_disk_loses_one_entry_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    """Full between the image (4 bytes) and the line, and within the line."""
    journal = Journal(tmp_path)
    first = journal.append(answer_for(b"one!"), b"one!", 1.0)
    full_once(monkeypatch, after_bytes=taken)
    with pytest.raises(OSError, match="No space left"):
        journal.append(answer_for(b"two!"), b"two!", 1.0)
    third = journal.append(answer_for(b"six!"), b"six!", 1.0)
    journal.close()
    assert [one.id for one in everything(tmp_path) if isinstance(one, Entry)] == [first, third]
    assert not [one for one in everything(tmp_path) if isinstance(one, Broken)]
    assert (journal.written, journal.shed, journal.images_shed) == (2, 1, 0)
    assert list((tmp_path / "drafts").iterdir()) == []


def test_a_disk_too_full_for_an_image_keeps_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(tmp_path)
    full_once(monkeypatch, after_bytes=2)
    journal.append(answer_for(b"two!"), b"two!", 1.0)
    journal.append(answer_for(b"six!"), b"six!", 1.0)
    journal.close()
    assert kept(tmp_path) == ["shed", "stored"]
    assert (journal.written, journal.shed, journal.images_shed) == (2, 0, 1)
    assert "No space left on device: images are left out, answers are kept; 1 so far, free" in caplog.text


def kept(folder: Path) -> list[str]:
    return [one.kept for one in everything(folder) if isinstance(one, Entry)]


def test_a_nearly_full_disk_keeps_answers_without_images(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(tmp_path)
    journal.append(answer_for(b"here"), b"here", 1.0)
    journal.close()
    journal = Journal(tmp_path, Keeping(free_bytes=1 << 60))
    for data in (b"here", b"new", b"new"):
        journal.append(answer_for(data), data, 1.0)
    journal.close()
    assert sorted(kept(tmp_path)) == ["shed", "shed", "stored", "stored"], "what is there costs nothing"
    assert len(list((tmp_path / "images").rglob("*.jpg"))) == 1
    assert journal.images_shed == 2 and caplog.text.count("nearly full") == 1, "said once a minute"


def test_a_disk_far_behind_sheds_images_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference_runtime.journal.WAITING_BYTES", 10)
    monkeypatch.setattr("inference_runtime.journal.WAITING_ANSWERS", 6)
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
    assert journal.written + journal.shed == 9 and journal.shed in (2, 3)
    assert kept(tmp_path).count("shed") == journal.images_shed >= journal.written - 2


FILL_A_SMALL_DISK = """
import hashlib, resource, signal, sys
from pathlib import Path
from inference_runtime.journal import Journal
from inference_runtime.keeping import Keeping
from inference_runtime.predictor import Answer

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, 9_000))
journal = Journal(Path(sys.argv[1]), Keeping(segment_bytes=4_000))
for n in range(60):
    data = f"{n}".encode() * (10_000 if n % 3 else 100)
    journal.append(Answer(0.5, 0.0, hashlib.sha256(data).hexdigest(), "b" * 16, 640, 360), data, 1.0)
journal.close()
print(journal.written, journal.shed, journal.images_shed)
"""


def test_the_kernel_refuses_large_files_and_no_answer_is_lost(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-c", FILL_A_SMALL_DISK, str(tmp_path)], capture_output=True, text=True
    )
    assert said.stdout.split() == ["60", "0", "40"], said.stderr
    assert kept(tmp_path) == ["stored", "shed", "shed"] * 20
    assert len(list((tmp_path / "images").rglob("*.jpg"))) == 20
    assert list((tmp_path / "drafts").iterdir()) == []


def test_a_segment_is_closed_at_its_age_though_nothing_comes(tmp_path: Path) -> None:
    journal = Journal(tmp_path, Keeping(segment_seconds=0.2))
    journal.append(answer_for(b"1"), b"1", 1.0)
    assert [file.suffix for file in segments(tmp_path)] == [".open"]
    until = time.monotonic() + 10
    while segments(tmp_path)[0].suffix != ".log":
        assert time.monotonic() < until
        time.sleep(0.02)
    journal.append(answer_for(b"2"), b"2", 1.0)
    journal.close()
    assert [file.suffix for file in segments(tmp_path)] == [".log", ".log"]


def test_a_sample_is_the_same_for_all_entries_of_an_image(tmp_path: Path) -> None:
    journal = Journal(tmp_path, Keeping(sample=0.3))
    answers = [answer_for(b"%d" % n) for n in range(200)]
    first, again = ([journal.submit(one, b"x", 1.0) for one in answers] for _ in range(2))
    ids = [[bool(one.result()) for one in turn] for turn in (first, again)]
    journal.close()
    assert ids[0] == ids[1] and 30 < sum(ids[0]) < 90
    assert (journal.left_out, journal.written) == (400 - 2 * sum(ids[0]), 2 * sum(ids[0]))


def test_nothing_is_sampled_away_by_default(tmp_path: Path) -> None:
    assert Keeping().samples("f" * 64) and Keeping().samples("0" * 64)
    assert not Keeping(sample=0).samples("0" * 64)


REDACTION = """
def hide(data):
    return {b"secret": None, b"face": b"blur", b"odd": 3}.get(data, data) if data != b"bad" else 1 / 0
"""


def test_what_a_person_may_not_want_kept_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "our_rules.py").write_text(REDACTION)
    monkeypatch.syspath_prepend(str(tmp_path))
    journal = Journal(tmp_path / "journal", Keeping(redact="our_rules.hide"))
    for data in (b"street", b"face", b"secret", b"odd", b"bad"):
        assert journal.append(answer_for(data), data, 1.0)
    journal.close()
    found = [one for one in everything(tmp_path / "journal") if isinstance(one, Entry)]
    assert [one.kept for one in found] == ["stored", "redacted", *["withheld"] * 3], "in doubt it is not kept"
    assert [one.image for one in found[1:3]] == [answer_for(b"blur").image, answer_for(b"secret").image]
    stored = (tmp_path / "journal" / "images").rglob("*.jpg")
    assert sorted(file.read_bytes() for file in stored) == [b"blur", b"street"]


@pytest.mark.parametrize("name", ["nowhere.hide", "os.nothing", "os.sep", "hide", "os.path."])
def test_a_redaction_that_is_none_is_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(Fixable, match=r"--journal-redact: .*module\.function"):
        Journal(tmp_path, Keeping(redact=name))


def test_what_is_old_is_forgotten_shipped_or_not(tmp_path: Path) -> None:
    old = fill(tmp_path)
    for file in tmp_path.rglob("*.*"):
        os.utime(file, (0, 0))
    living = Journal(tmp_path)
    living.append(answer_for(b"0"), b"0", 1.0)
    fill(tmp_path)
    forget_old(tmp_path, keep_days=1)
    assert old not in segments(tmp_path) and len(segments(tmp_path)) == 2
    named = {one.image for one in everything(tmp_path) if isinstance(one, Entry)}
    assert {file.stem for file in (tmp_path / "images").rglob("*.jpg")} == named
    living.close()


def test_an_old_image_that_is_asked_about_again_stays(tmp_path: Path) -> None:
    fill(tmp_path, count=2)
    (tmp_path / "segments" / segments(tmp_path)[0].name).unlink()
    for file in (tmp_path / "images").rglob("*.jpg"):
        os.utime(file, (0, 0))
    writer = images.Writer(tmp_path / "images", tmp_path / "drafts")
    assert writer.put({answer_for(b"1").image: b"1"}) == {}
    writer.close()
    forget_images(tmp_path, keep_days=0.001)
    assert [file.stem for file in (tmp_path / "images").rglob("*.jpg")] == [answer_for(b"1").image]


def test_an_image_that_can_not_be_synced_costs_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = {answer_for(data).image: data for data in (b"1", b"2", b"3", b"4")}
    bad, sync = answer_for(b"2").image, os.fsync

    def picky(handle: int) -> None:
        if bad in str(Path(f"/proc/self/fd/{handle}").readlink()):
            raise OSError(5, "Input/output error")
        sync(handle)

    for folder in ("images", "drafts"):
        (tmp_path / folder).mkdir()
    monkeypatch.setattr(os, "fsync", picky)
    writer = images.Writer(tmp_path / "images", tmp_path / "drafts")
    failed = writer.put(group)
    writer.close()
    assert list(failed) == [bad] and failed[bad].strerror == "Input/output error"
    assert {file.stem for file in (tmp_path / "images").rglob("*.jpg")} == group.keys() - {bad}
    assert list((tmp_path / "drafts").iterdir()) == []


def test_a_crowd_is_written_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk, sync = threading.Event(), os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (disk.wait(10), sync(handle)))
    monkeypatch.setattr("inference_runtime.journal.GROUP", 10)
    journal = Journal(tmp_path)
    asked = [b"%d" % n for n in range(35)]
    promised = [journal.submit(answer_for(data), data, 1.0) for data in asked]
    disk.set()
    ids = [one.result(timeout=10) for one in promised]
    journal.close()
    assert len(set(ids)) == 35 and journal.written == 35
    assert [entry.id for entry in everything(tmp_path) if isinstance(entry, Entry)] == ids


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
