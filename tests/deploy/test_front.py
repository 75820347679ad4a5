"""nginx before a real server, as the house's one door: what passes, and who is told to wait."""

import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from listening import Listening, Speaker

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "nginx" / "nginx.conf"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not here; apt-get install -y nginx")


class Behind(Speaker):
    def do_GET(self) -> None:
        self.body()
        self.say(200, {"path": self.path})

    do_POST = do_GET


@pytest.fixture
def front(tmp_path: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with Listening(Behind) as behind:
        text = CONFIGURATION.read_text().replace("/tmp/nginx", str(tmp_path / "nginx"))
        text = text.replace("runtime:8072", f"127.0.0.1:{behind.server_port}")
        file = tmp_path / "nginx.conf"
        file.write_text(text.replace("listen 8072;", f"listen 127.0.0.1:{port};"))
        command = [str(NGINX), "-c", str(file), "-p", str(tmp_path), "-e", str(tmp_path / "error.log")]
        tried = subprocess.run([*command, "-t"], capture_output=True, text=True)
        assert tried.returncode == 0 and "[warn]" not in tried.stderr, tried.stderr
        with subprocess.Popen([*command, "-g", "daemon off;"]) as process:
            yield _answering(f"http://127.0.0.1:{port}")
            process.terminate()
            process.wait(timeout=20)


def _answering(url: str) -> str:
    until = time.monotonic() + 20
    while status(f"{url}/healthz") != 200:
        assert time.monotonic() < until
        time.sleep(0.05)
    return url


def status(url: str, data: bytes | None = None) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data), timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_only_what_everybody_may_ask_passes(front: str) -> None:
    assert status(f"{front}/v1/predict", b"picture") == 200
    assert [status(f"{front}/{path}") for path in ("v1/models", "readyz", "openapi.json")] == [200] * 3
    hidden = ("metrics", "admin/bundles", "v1/predict/", "v1/modelsx", "")
    assert [status(f"{front}/{path}") for path in hidden] == [404] * 5


def test_who_asks_too_much_is_told_so_and_the_others_wait_a_little(front: str) -> None:
    with ThreadPoolExecutor(24) as pool:
        began = time.monotonic()
        seen = Counter(pool.map(lambda _: status(f"{front}/v1/predict", b"picture"), range(240)))
        seconds = time.monotonic() - began
    rate = int(re.findall(r"rate=(\d+)r/s", CONFIGURATION.read_text())[0])
    assert set(seen) == {200, 429}
    assert 20 <= seen[200] <= 20 + (seconds + 1) * rate + 24
    time.sleep(2.5)
    assert status(f"{front}/v1/predict", b"picture") == 200


def test_a_body_that_is_too_large_never_arrives(front: str) -> None:
    assert status(f"{front}/v1/predict", b"0" * (33 << 20)) in (413, 0)
