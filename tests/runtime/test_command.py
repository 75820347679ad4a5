import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from inference_runtime.bundle import Bundle

Make = Callable[..., Bundle]
Picture = Callable[..., bytes]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "inference_runtime", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def assert_one_line(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("inference_runtime: ") and done.stderr.count("\n") == 1
    assert all(word in done.stderr for word in words), done.stderr


def test_predict_answers_what_it_can(make_bundle: Make, make_picture: Picture, tmp_path: Path) -> None:
    bundle = make_bundle()
    (tmp_path / "bright.jpg").write_bytes(make_picture(220))
    (tmp_path / "dark.jpg").write_bytes(make_picture(30))
    (tmp_path / "broken.jpg").write_bytes(make_picture()[:100])
    files = [tmp_path / name for name in ("bright.jpg", "broken.jpg", "gone.jpg", "dark.jpg")]
    done = run("predict", "--bundle", bundle.folder, *files)
    assert done.returncode == 1
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["file"], one["label"]) for one in answers] == [
        (str(files[0]), "roadwork"),
        (str(files[3]), "clear"),
    ]
    broken, gone = done.stderr.splitlines()
    assert broken.startswith(f"inference_runtime: {files[1]}: image: ")
    assert gone.startswith(f"inference_runtime: {files[2]}: No such file")
    assert run("predict", "--bundle", bundle.folder, files[0]).returncode == 0


def test_verify_says_sound_or_what_is_not(make_bundle: Make) -> None:
    bundle = make_bundle()
    done = run("verify", bundle.folder)
    assert done.returncode == 0
    assert done.stdout.startswith(f"{bundle.id}: 1 files") and done.stdout.endswith("sound\n")
    (bundle.folder / "model.onnx").write_bytes(b"")
    assert_one_line(run("verify", bundle.folder), "model.onnx", "altered")


def test_serve_refuses_in_one_line(make_bundle: Make, tmp_path: Path) -> None:
    bundle = make_bundle()
    (tmp_path / "file").touch()
    assert_one_line(run("serve", "--bundle", tmp_path, "--journal", tmp_path / "journal"), "bundle.json")
    assert not (tmp_path / "journal").exists(), "a refusal leaves nothing behind"
    assert_one_line(
        run("serve", "--bundle", bundle.folder, "--journal", tmp_path / "file"), "journal", "file"
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("serve", "--bundle", bundle.folder, "--journal", tmp_path / "journal", "--port", port)
        assert_one_line(done, str(port), "in use")


@pytest.mark.parametrize(
    "arguments",
    [(), ("sing",), ("serve",), ("serve", "--bundle", "b", "--journal", "j", "--port", "70000"), ("verify",)],
)
def test_a_wrong_command_is_a_usage_error(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.returncode == 2 and "usage:" in done.stderr


@pytest.mark.parametrize("arguments", [("--help",), ("serve", "--help")])
def test_help(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.returncode == 0 and "usage: python -m inference_runtime" in done.stdout
