"""A batch that helps stays; one that was made harmful on purpose goes, and says why."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from pipeline import images, samples
from pipeline.assemble import proof
from pipeline.params import Backbone, Proof

PARAMS = Proof(rows=60, slice_rows=20)


@pytest.fixture
def shot(rooms: Path) -> Callable[..., str]:
    """A noisy picture: roadwork is redder, by night everything is darker and what tells is blue."""

    def one(seed: int, label: int, night: bool) -> str:
        pixels = np.random.default_rng(seed).integers(0, 60 if night else 150, (48, 64, 3))
        pixels[:, :, 2 if night else 0] += 25 * label
        data = BytesIO()
        Image.fromarray(pixels.astype(np.uint8)).save(data, "PNG")
        return images.put(data.getvalue())

    return one


def row(image: str, label: int, night: bool, **given: object) -> dict[str, object]:
    told = {"tags": ["night"] if night else ["day"], "profile": "native", "split": "train"}
    return {"image": image, "family": image, "label": label, "source": "base"} | told | given


@pytest.fixture
def real(shot: Callable[..., str]) -> list[dict[str, object]]:
    """Many days, and few nights, which are therefore badly understood."""
    days = [row(shot(n, n % 2, False), n % 2, False) for n in range(80)]
    return days + [row(shot(1000 + n, n % 2, True), n % 2, True) for n in range(24)]


def painted(shot: Callable[..., str], name: str, wrong: bool) -> list[dict[str, object]]:
    return [
        row(
            shot(5000 + n, n % 2, True),
            (n % 2) ^ wrong,
            True,
            source=name,
            parent=f"case {n}",
            family=f"case {n}",
        )
        for n in range(60)
    ]


def found(rows: list[dict[str, object]], tiny: Backbone) -> tuple[pl.DataFrame, dict[str, proof.Finding]]:
    table, findings = proof.proven(samples.frame(rows, samples.ASSEMBLED), PARAMS, 1.0, tiny)
    return table, {finding.painter: finding for finding in findings}


def test_the_harmful_painter_is_left_out_and_the_other_stays(
    shot: Callable[..., str], real: list[dict[str, object]], tiny: Backbone, capfd: pytest.CaptureFixture[str]
) -> None:
    table, findings = found(real + painted(shot, "honest", False) + painted(shot, "liar", True), tiny)
    assert findings["honest"].left_out is None and (findings["honest"].slice_gain or 0) > 0
    assert findings["liar"].left_out and findings["liar"].gain < 0
    assert findings["liar"].tags == ("night",)
    assert set(table["source"]) == {"base", "honest"}
    assert "liar: gain -" in (said := capfd.readouterr().err) and "left out tonight: it " in said


def test_with_few_labels_nobody_is_judged(
    shot: Callable[..., str], real: list[dict[str, object]], tiny: Backbone
) -> None:
    table, findings = found(real[:40] + painted(shot, "liar", True), tiny)
    assert not findings and table.height == 100


@pytest.mark.parametrize(
    ("high", "on_slice", "says"),
    [
        (-0.001, 0.5, "hurts on real pictures"),
        (0.1, -0.01, "does not help the slice it was painted for"),
        (0.1, 0.01, None),
        (0.1, None, None),
    ],
)
def test_the_verdict(high: float, on_slice: float | None, says: str | None) -> None:
    assert proof.verdict(high, on_slice) == says


def test_the_interval_is_wider_where_families_say_the_same_thing_twice() -> None:
    gains = np.random.default_rng(0).normal(0, 1, 200)
    alone = proof._interval(gains, pl.Series([str(n) for n in range(200)]))
    twice = proof._interval(np.repeat(gains, 2), pl.Series([str(n // 2) for n in range(400)]))
    assert np.allclose(alone, twice)
    assert alone[2] - alone[0] == pytest.approx(1.645 * gains.std() / np.sqrt(200))


def test_a_batch_is_judged_on_the_tags_it_is_full_of() -> None:
    batch = pl.Series([["night", "rain"], ["night", "us"], ["night"]])
    usual = pl.Series([["day", "us"], ["day", "rain"], ["night"], ["day"], ["day"]])
    assert proof.aimed(batch, usual) == ("night", "rain", "us")
    assert proof.aimed(usual, usual) == ()
