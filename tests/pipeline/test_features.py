"""Features: a vector is a fact about a view, whatever happens around its making."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from inference_runtime.errors import Fixable
from inference_runtime.preprocess import Preprocess
from pipeline import challenge, features, images
from pipeline.features import log
from pipeline.params import Backbone


def test_a_view_goes_over_the_wire_as_a_miner_gets_it(snap: Callable[[int, int], str]) -> None:
    from inference_runtime.predictor import preprocess

    image = snap(1, 1)
    [native], [first, second] = (
        features.look(image, ["native/0"], Preprocess(32, 32)),
        features.look(image, ["2026-01/0", "2026-01/1"], Preprocess(32, 32)),
    )
    frame = preprocess.decode(images.read(image))
    sent = challenge.encode(challenge.view(frame, "2026-01", challenge.seed_of(image, "2026-01/1")))
    assert np.array_equal(native, preprocess.prepare(images.read(image), Preprocess(32, 32)))
    assert np.array_equal(second, preprocess.prepare(sent, Preprocess(32, 32)))
    assert not np.array_equal(first, second)


def test_only_new_views_meet_the_backbone(
    street: pl.DataFrame, tiny: Backbone, capsys: pytest.CaptureFixture[str]
) -> None:
    vectors, index = features.embed(street[:8], 2, tiny)
    assert index.columns == ["image", "view"]
    assert len(vectors) == len(index) == 5 * 2 + 3
    assert "features: 13 new, 0 cached" in capsys.readouterr().err
    again, _ = features.embed(street, 2, tiny)
    assert "features: 7 new, 13 cached" in capsys.readouterr().err
    assert np.array_equal(again[:13], vectors)


def test_no_rows_no_vectors(street: pl.DataFrame, tiny: Backbone) -> None:
    vectors, index = features.embed(street[:0], 2, tiny)
    assert len(vectors) == len(index) == 0


@pytest.mark.parametrize("batch", [1, 4])
def test_neighbours_and_order_change_no_bit(
    street: pl.DataFrame, tiny: Backbone, rooms: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    backbone = tiny.model_copy(update={"batch": batch})
    vectors, index = features.embed(street, 3, backbone)
    for name, rows in (("reversed", street.reverse()), ("alone", street[5:6]), ("some", street[3::2])):
        monkeypatch.setenv("FEATURES", str(rooms / name))
        others, places = features.embed(rows, 3, backbone)
        at = {view: row for row, view in enumerate(index.iter_rows())}
        assert np.array_equal(others, vectors[[at[view] for view in places.iter_rows()]])


def test_vectors_are_close_to_float32(street: pl.DataFrame, tiny: Backbone) -> None:
    """The cache rounds to float16 and to nothing coarser."""
    import torch

    from pipeline import backbones

    vectors, index = features.embed(street, 1, tiny)
    image, view = index.row(0)
    [pixels] = features.look(image, [view], Preprocess(32, 32))
    with torch.inference_mode():
        exact = backbones.load(tiny)(torch.from_numpy(pixels[None])).numpy()[0]
    assert np.abs(vectors[0] - exact).max() <= np.abs(exact).max() * 2**-10


def test_another_backbone_size_or_filter_has_a_cache_of_its_own(
    street: pl.DataFrame, tiny: Backbone, rooms: Path
) -> None:
    looks: list[dict[str, object]] = [{}, {"width": 64}, {"filter": "lanczos"}]
    seen = [features.embed(street[:1], 1, tiny.model_copy(update=look))[0] for look in looks]
    assert len(list((rooms / "features").iterdir())) == len(np.unique(np.concatenate(seen), axis=0)) == 3


CHILD = """
import sys
import polars as pl
from pipeline import features
from pipeline.params import Backbone
rows = pl.read_parquet(sys.argv[1])
features.embed(rows, 12, Backbone(name=sys.argv[2], revision=None, width=32, height=32, batch=1))
"""


def test_a_kill_loses_nothing_but_time(
    snap: Callable[[int, int], str], tiny: Backbone, rooms: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL in the middle; the next run goes on, and no bit differs from an undisturbed run's."""
    pictures = [snap(seed, 0) for seed in range(4 * features.CHUNK)]
    street = pl.DataFrame({"image": pictures}).with_columns(profile=pl.lit("2026-01"))
    street.write_parquet(rooms / "rows.parquet")
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(rooms / "rows.parquet"), tiny.name])
    while child.poll() is None and not held(rooms / "features"):
        time.sleep(0.002)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    before = held(rooms / "features")
    resumed, _ = features.embed(street, 12, tiny)
    monkeypatch.setenv("FEATURES", str(rooms / "undisturbed"))
    undisturbed, index = features.embed(street, 12, tiny)
    assert 0 < before < len(index)
    assert np.array_equal(resumed, undisturbed)


def held(folder: Path) -> int:
    return sum(max(file.stat().st_size // log.NAME.itemsize - 1, 0) for file in folder.glob("*/names"))


def test_two_writers_share_one_cache(street: pl.DataFrame, tiny: Backbone) -> None:
    with ThreadPoolExecutor(2) as pool:
        (one, _), (two, _) = pool.map(lambda _: features.embed(street, 3, tiny), range(2))
    assert np.array_equal(one, two)


def test_a_missing_image_is_one_line(street: pl.DataFrame, tiny: Backbone) -> None:
    images.path(street["image"][0]).unlink()
    with pytest.raises(Fixable, match=r"the image is gone; run `python -m pipeline pull`"):
        features.embed(street, 1, tiny)


def test_a_broken_image_is_named(street: pl.DataFrame, tiny: Backbone) -> None:
    images.path(street["image"][0]).write_bytes(b"no picture")
    with pytest.raises(Fixable, match=street["image"][0]):
        features.embed(street, 1, tiny)
