"""Shadow, canary, promotion and rollback, driven over HTTP."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any

import numpy as np
import pytest

from inference_runtime import bundle as bundles
from inference_runtime.bundle import Bundle
from inference_runtime.errors import BundleError
from inference_runtime.predictor import Answer, Predictor
from inference_runtime.probe import FILE, fixed, prove

Make = Callable[..., Bundle]
Picture = Callable[..., bytes]

# While the file is there, bundles of this id fail; the others do not.
FAILING = """
import os
from inference_runtime.predictor import Predictor
plain = Predictor.answer
def answer(self, prepared):
    if os.path.exists({mark!r}) and self.bundle.id == {id!r}: raise RuntimeError("boom")
    return plain(self, prepared)
Predictor.answer = answer
"""

SLOW = """
import time
from inference_runtime.predictor import Predictor
plain = Predictor.answer
def answer(self, prepared):
    if self.bundle.id == {id!r}: time.sleep(0.3)
    return plain(self, prepared)
Predictor.answer = answer
"""


def right(bundle: Bundle, data: bytes) -> float:
    (answer,) = Predictor(bundle, threads=1).predict([data])
    assert isinstance(answer, Answer)
    return answer.p


def roles_of(server: Any) -> dict[str, str | None]:
    status, said = server.order("GET", "bundles")
    assert status == 200
    return {role: placed and placed["bundle"] for role, placed in said.items()}


def settled(server: Any, both: int) -> dict[str, Any]:
    """The comparison, once so many requests have been answered by both."""
    for _ in range(500):
        status, said = server.order("GET", "comparison")
        if status == 200 and said["both"] + said["dropped"] >= both:
            return dict(said)
        time.sleep(0.01)
    raise AssertionError(said)


def test_a_shadow_answers_unseen(make_bundle: Make, make_picture: Picture, start: Callable[..., Any]) -> None:
    served, contrary = make_bundle("served", 8.0), make_bundle("contrary", -8.0)
    server = start(served)
    assert server.order("POST", "bundles", path=str(contrary.folder), role="shadow")[0] == 200
    data = [make_picture(grey=30 + 10 * n, seed=n) for n in range(20)]
    for one in data:
        assert server.predict(one)[1]["bundle"] == served.id
    said = settled(server, 20)
    assert (said["challenger"], said["role"], said["both"], said["disagree"]) == (
        contrary.id,
        "shadow",
        20,
        20,
    )
    assert said["serving"]["answers"] == said["challenged"]["answers"] == 20
    assert said["serving"]["positives"] + said["challenged"]["positives"] == 20
    assert 0.5 < said["challenged"]["confidence"] < 1 and said["challenged"]["errors"] == 0
    assert 0 < said["serving"]["ms_p50"] <= said["serving"]["ms_p99"]
    server.stop()
    entries = server.entries()
    assert Counter((entry.role, entry.bundle) for entry in entries) == {
        ("serve", served.id): 20,
        ("shadow", contrary.id): 20,
    }
    by_request: dict[str, list[Any]] = {}
    for entry in entries:
        by_request.setdefault(entry.request, []).append(entry)
    assert len(by_request) == 20
    for pair in by_request.values():
        one, other = pair
        assert one.image == other.image and {one.role, other.role} == {"serve", "shadow"}


def test_a_failing_shadow_fails_nobody(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any], tmp_path: Any
) -> None:
    served, bad = make_bundle("served"), make_bundle("bad", 3.0)
    server = start(served, prelude=FAILING.format(mark=str(tmp_path / "fail"), id=bad.id))
    server.order("POST", "bundles", path=str(bad.folder), role="shadow")
    (tmp_path / "fail").touch()
    assert [server.predict(make_picture(seed=n))[0] for n in range(5)] == [200] * 5
    for _ in range(500):
        said = server.order("GET", "comparison")[1]
        if said["challenged"]["errors"] == 5:
            break
        time.sleep(0.01)
    assert (said["challenged"]["errors"], said["challenged"]["answers"], said["serving"]["answers"]) == (
        5,
        0,
        5,
    )


def test_a_shadow_under_load_is_dropped_and_delays_nobody(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any]
) -> None:
    served, slow = make_bundle("served"), make_bundle("slow", 3.0)
    short = f"""
import time
import inference_runtime.workers as workers
from inference_runtime.predictor import Predictor
workers.LATER_BYTES = 10_000
plain = Predictor.answer
Predictor.answer = lambda self, prepared: (
    time.sleep(0.2 if self.bundle.id == {slow.id!r} else 0.0), plain(self, prepared))[1]
"""
    server = start(served, prelude=short)
    server.order("POST", "bundles", path=str(slow.folder), role="shadow")
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda n: server.predict(make_picture(seed=n)), range(60)))
    assert {(status, said["bundle"]) for status, said in answers} == {(200, served.id)}
    said = settled(server, 60)
    assert said["dropped"] > 30 and said["both"] + said["dropped"] == 60
    server.stop()
    assert Counter(entry.role for entry in server.entries()) == {"serve": 60, "shadow": said["both"]}


def test_a_canary_answers_its_share_by_the_images_hash(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any]
) -> None:
    served, canary = make_bundle("served", 8.0), make_bundle("canary", 5.0)
    server = start(served)
    status, said = server.order("POST", "bundles", path=str(canary.folder), role="canary", share=0.4)
    assert status == 200 and said["canary"]["share"] == 0.4
    data = [make_picture(seed=n) for n in range(60)]
    wanted = {one: canary if int(sha256(one).hexdigest()[:8], 16) / 2**32 < 0.4 else served for one in data}
    share = sum(bundle is canary for bundle in wanted.values())
    assert 10 < share < 40
    for one in data + data[:10]:
        status, said = server.predict(one)
        assert (status, said["bundle"]) == (200, wanted[one].id)
        assert said["p"] == pytest.approx(right(wanted[one], one), abs=1e-6)
    again = sum(wanted[one] is canary for one in data[:10])
    said = settled(server, share + again)
    assert said["challenged"]["answers"] == share + again and said["serving"]["answers"] == 70
    server.stop()
    assert Counter((entry.role, entry.bundle) for entry in server.entries()) == {
        ("serve", served.id): 70 - share - again,
        ("canary", canary.id): share + again,
        ("shadow", served.id): share + again,
    }


def test_a_failing_canary_is_stood_in_for(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any], tmp_path: Any
) -> None:
    served, bad = make_bundle("served"), make_bundle("bad", 3.0)
    server = start(served, prelude=FAILING.format(mark=str(tmp_path / "fail"), id=bad.id))
    server.order("POST", "bundles", path=str(bad.folder), role="canary", share=1.0)
    (tmp_path / "fail").touch()
    for n in range(5):
        assert server.predict(make_picture(seed=n))[1]["bundle"] == served.id
    assert server.order("GET", "comparison")[1]["challenged"]["errors"] == 5
    assert {entry.role for entry in server.entries()} == {"serve"}


@pytest.mark.parametrize("role", ["shadow", "canary"])
def test_who_is_slower_than_the_deadline_is_told_from_who_is_not(
    role: str, make_bundle: Make, make_picture: Picture, start: Callable[..., Any]
) -> None:
    served, slow = make_bundle("served"), make_bundle("slow", 4.0)
    server = start(served, prelude=SLOW.format(id=slow.id))
    assert server.order("POST", "bundles", path=str(slow.folder), role=role, share=1.0)[0] == 200
    for seed in range(3):
        status, _ = server.ask("POST", "/v1/predict", make_picture(seed=seed), **{"X-Deadline-Ms": "200"})
        assert status == (200 if role == "shadow" else 504)
        said = settled(server, seed + 1)  # a slow shadow holds a worker as long as it thinks
    assert (said["challenged"]["timeouts"], said["challenged"]["answers"]) == (3, 0)
    assert (said["serving"]["timeouts"], said["serving"]["answers"]) == (0, 3)


def test_promotion_and_rollback_are_one_pointer(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any]
) -> None:
    one, two = make_bundle("one", 8.0), make_bundle("two", -5.0)
    server = start(one)
    assert roles_of(server) == {"serving": one.id, "previous": None, "shadow": None, "canary": None}
    assert server.order("POST", "rollback")[0] == 409
    server.order("POST", "bundles", path=str(two.folder), role="shadow")
    assert roles_of(server) == {"serving": one.id, "previous": None, "shadow": two.id, "canary": None}
    assert server.order("POST", "promote", bundle=one.id)[0] == 409
    server.order("POST", "bundles", path=str(two.folder), role="canary", share=0.5)
    assert roles_of(server) == {"serving": one.id, "previous": None, "shadow": None, "canary": two.id}
    assert server.order("POST", "promote", bundle=two.id)[0] == 200
    assert roles_of(server) == {"serving": two.id, "previous": one.id, "shadow": None, "canary": None}
    assert server.predict(make_picture())[1]["bundle"] == two.id
    assert server.order("POST", "rollback")[0] == 200
    assert roles_of(server) == {"serving": one.id, "previous": None, "shadow": None, "canary": None}
    assert server.order("POST", "rollback")[0] == 409, "asked twice, the bad one must not come back"
    assert server.order("GET", "comparison")[0] == 404


def test_a_rollback_under_load_is_instant_and_mixes_nothing(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any]
) -> None:
    one, two = make_bundle("one", 8.0), make_bundle("two", -5.0, classes=("quiet", "works"))
    known = {one.id: one, two.id: two}
    data = [make_picture(grey=40 + 20 * n, seed=n) for n in range(8)]
    truth = {(id, n): right(known[id], data[n]) for id in known for n in range(8)}
    server = start(one)
    stop = threading.Event()

    def ask(client: int) -> list[tuple[int, int, Any]]:
        seen: list[tuple[int, int, Any]] = []
        while not stop.is_set():
            n = (client + len(seen)) % 8
            seen.append((n, *server.predict(data[n])))
        return seen

    took = []
    with ThreadPoolExecutor(4) as clients:
        asking = [clients.submit(ask, client) for client in range(4)]
        for _ in range(8):
            assert server.swap(two.folder)[0] == 200
            time.sleep(0.05)
            started = time.monotonic()
            assert server.order("POST", "rollback")[0] == 200
            took.append(time.monotonic() - started)
            after = server.predict(data[0])[1]
            assert after["bundle"] == one.id
        stop.set()
        answers = [seen for client in asking for seen in client.result()]
    assert np.median(took) < 0.1
    assert {said["bundle"] for _, _, said in answers} == set(known)
    for n, status, said in answers:
        assert status == 200
        assert said["p"] == pytest.approx(truth[said["bundle"], n], abs=1e-6)
        assert said["label"] == known[said["bundle"]].classes[said["p"] > 0.5]


def test_a_rollback_does_not_wait_for_a_bundle_that_loads(
    make_bundle: Make, start: Callable[..., Any]
) -> None:
    one, two, three = make_bundle("one"), make_bundle("two", 3.0), make_bundle("three", 4.0)
    slow = f"""
import time
import inference_runtime.probe as probe
plain = probe.prove
probe.prove = lambda predictor: (
    time.sleep(2.0 if predictor.bundle.id == {three.id!r} else 0.0), plain(predictor))[1]
"""
    server = start(one, prelude=slow)
    server.swap(two.folder)
    with ThreadPoolExecutor(1) as other:
        loading = other.submit(server.swap, three.folder)
        time.sleep(0.3)
        started = time.monotonic()
        assert server.order("POST", "rollback")[0] == 200
        assert time.monotonic() - started < 1.5
        assert not loading.done() and roles_of(server)["serving"] == one.id
        assert loading.result()[0] == 200
    assert roles_of(server) == {"serving": three.id, "previous": one.id, "shadow": None, "canary": None}


def test_a_trial_can_be_ended(make_bundle: Make, start: Callable[..., Any]) -> None:
    one, two = make_bundle("one"), make_bundle("two", 3.0)
    server = start(one)
    server.order("POST", "bundles", path=str(two.folder), role="shadow")
    assert server.order("POST", "end", role="canary")[0] == 409
    assert server.order("POST", "end", role="serve")[0] == 400
    assert server.order("POST", "end", role="shadow")[0] == 200
    assert roles_of(server)["shadow"] is None
    assert server.order("POST", "end", role="shadow")[0] == 409


def test_the_same_bundle_twice_changes_nothing(make_bundle: Make, start: Callable[..., Any]) -> None:
    one, two = make_bundle("one"), make_bundle("two", 3.0)
    server = start(one)
    server.swap(two.folder)
    server.swap(two.folder)
    assert roles_of(server)["previous"] == one.id, "a swap to itself would leave nothing to go back to"
    assert server.order("POST", "bundles", path=str(two.folder), role="shadow")[0] == 409


def test_the_admin_door(make_bundle: Make, make_picture: Picture, start: Callable[..., Any]) -> None:
    old, bad = make_bundle("old"), make_bundle("bad", 3.0)
    (bad.folder / "model.onnx").write_bytes(b"altered")
    server = start(old)
    assert server.swap(old.folder, token="wrong")[0] == 401
    assert server.order("GET", "bundles", token="wrong")[0] == 401
    assert server.ask("POST", "/admin/bundles", b"{}")[0] == 404, "not on the public door"
    status, said = server.swap(bad.folder)
    assert status == 409 and "model.onnx: altered" in said["error"]
    assert server.swap("/nowhere")[0] == 409
    assert server.swap("a\0b")[0] == 400
    assert server.swap("")[0] == 400
    for wrong in ({"role": "king"}, {"role": "canary", "share": 0}, {"share": True}, {"share": "half"}):
        assert server.order("POST", "bundles", path=str(old.folder), **wrong)[0] == 400
    assert server.order("POST", "promote")[0] == 400
    assert server.predict(make_picture())[1]["bundle"] == old.id


def test_no_token_no_admin(make_bundle: Make, start: Callable[..., Any]) -> None:
    server = start(make_bundle(), token="")
    assert server.admin_port == 0
    assert server.ask("POST", "/admin/rollback", b"{}")[0] == 404


def probed(bundle: Bundle, off: float) -> Bundle:
    """The same bundle, carrying what its engine said, `off` by so much."""
    pixels = fixed(bundle.preprocess)
    logits = Predictor(bundle, threads=1).logits(pixels) + off
    np.savez(bundle.folder / FILE, pixels=pixels, logits=logits, tolerance=0.01)
    kept = {key: bundle.manifest[key] for key in ("engines", "calibration", "lineage", "holdout")}
    return bundles.seal(bundle.folder, classes=bundle.classes, preprocess=bundle.preprocess, **kept)


def test_a_bundle_that_no_longer_says_what_it_said_is_refused(
    make_bundle: Make, start: Callable[..., Any]
) -> None:
    prove(Predictor(probed(make_bundle("sound"), off=0.0)))
    off = probed(make_bundle("off", 3.0), off=0.5)
    with pytest.raises(BundleError, match=r"probe\.npz: the engine is 0\.5 off"):
        prove(Predictor(off))
    old = make_bundle("old", 5.0)
    server = start(old)
    status, said = server.swap(off.folder)
    assert status == 409 and "probe.npz" in said["error"]
    assert roles_of(server)["serving"] == old.id


def test_a_probe_that_is_none_is_one_line(make_bundle: Make) -> None:
    bundle = probed(make_bundle(), off=0.0)
    (bundle.folder / FILE).write_bytes(json.dumps({"no": "numpy"}).encode())
    kept = {key: bundle.manifest[key] for key in ("engines", "calibration", "lineage", "holdout")}
    again = bundles.seal(bundle.folder, classes=bundle.classes, preprocess=bundle.preprocess, **kept)
    with pytest.raises(BundleError, match="no probe") as caught:
        prove(Predictor(again))
    assert "\n" not in str(caught.value)
