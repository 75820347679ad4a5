import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from inference_runtime.__main__ import main
from inference_runtime.bundle import Bundle

Make = Callable[..., Bundle]
Picture = Callable[..., bytes]
Said = pytest.CaptureFixture[str]


def assert_one_line(said: Said, *words: str) -> None:
    out, err = said.readouterr()
    assert out == ""
    assert err.startswith("inference_runtime: ") and err.count("\n") == 1
    assert all(word in err for word in words), err


def test_predict_answers_what_it_can(
    make_bundle: Make, make_picture: Picture, tmp_path: Path, capsys: Said
) -> None:
    bundle = make_bundle()
    (tmp_path / "bright.jpg").write_bytes(make_picture(220))
    (tmp_path / "dark.jpg").write_bytes(make_picture(30))
    (tmp_path / "broken.jpg").write_bytes(make_picture()[:100])
    files = [str(tmp_path / name) for name in ("bright.jpg", "broken.jpg", "gone.jpg", "dark.jpg")]
    assert main(["predict", "--bundle", str(bundle.folder), *files]) == 1
    out, err = capsys.readouterr()
    answers = [json.loads(line) for line in out.splitlines()]
    assert [(one["file"], one["label"]) for one in answers] == [(files[0], "roadwork"), (files[3], "clear")]
    broken, gone = err.splitlines()
    assert broken.startswith(f"inference_runtime: {files[1]}: image: ")
    assert gone.startswith(f"inference_runtime: {files[2]}: No such file")
    assert main(["predict", "--bundle", str(bundle.folder), files[0]]) == 0


def test_verify_says_sound_or_what_is_not(make_bundle: Make, capsys: Said) -> None:
    bundle = make_bundle()
    assert main(["verify", str(bundle.folder)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{bundle.id}: 1 file, ") and out.endswith("sound\n")
    (bundle.folder / "model.onnx").write_bytes(b"")
    assert main(["verify", str(bundle.folder)]) == 1
    assert_one_line(capsys, "model.onnx", "altered")


def test_serve_refuses_in_one_line(make_bundle: Make, tmp_path: Path, capsys: Said) -> None:
    bundle, journal = str(make_bundle().folder), str(tmp_path / "journal")
    (tmp_path / "file").touch()
    assert main(["serve", "--bundle", str(tmp_path), "--journal", journal]) == 1
    assert_one_line(capsys, "bundle.json")
    assert not Path(journal).exists(), "a refusal leaves nothing behind"
    assert main(["serve", "--bundle", bundle, "--journal", str(tmp_path / "file")]) == 1
    assert_one_line(capsys, "journal", "file")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["serve", "--bundle", bundle, "--journal", journal, "--port", port]) == 1
        assert_one_line(capsys, port, "in use")


@pytest.mark.parametrize(
    "arguments",
    [[], ["sing"], ["serve"], ["serve", "--bundle", "b", "--journal", "j", "--port", "70000"], ["verify"]],
)
def test_a_wrong_command_is_a_usage_error(arguments: list[str], capsys: Said) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2 and "usage:" in capsys.readouterr().err


def test_the_module_is_a_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "inference_runtime"]
    done = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True)
    assert "usage: python -m inference_runtime" in done.stdout
    done = subprocess.run([*command, "verify", str(tmp_path)], capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
