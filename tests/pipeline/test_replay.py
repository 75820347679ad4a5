"""Replay: the campaign is the validator's, the pay is the reward's, and what is not known is not claimed."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import brightness
import numpy as np
import polars as pl
import pytest

from inference_runtime.errors import Fixable
from pipeline import challenge, params, replay
from pipeline.replay import answering, campaign, pay, pictures, scores
from pipeline.world import base

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return base.write_base(tmp_path_factory.mktemp("painted"), 8, 5, "traffic")


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """A bundle that calls bright pictures roadwork."""
    return brightness.sealed(tmp_path / "bundle", 32, slope=1.0, offset=100.0).folder


def a_table(right: float, count: int = 2000, per_picture: int = 4) -> pl.DataFrame:
    """Answers of which this share is right, to pictures asked about several times."""
    rng = np.random.default_rng(3)
    labels = rng.integers(2, size=count)
    said = np.where(rng.random(count) < right, labels, 1 - labels)
    rows = {
        "number": range(count),
        "picture": [f"{place // per_picture}" for place in range(count)],
        "source": ["here"] * count,
        "label": labels,
        "tags": [["night"] if place % 5 == 0 else [] for place in range(count)],
        "level": [place % 4 for place in range(count)],
        "seen": [None] * count,
        "p": said.astype(float),
    }
    return pl.DataFrame(rows, schema=campaign.COLUMNS)


def test_the_same_seed_sends_the_same_bytes_half_of_them_roadwork(painted: Path) -> None:
    found, sent = pictures.read(painted, "--data"), []
    for _ in range(2):
        heard: dict[str, float] = {}

        def ask(data: bytes, heard: dict[str, float] = heard) -> float:
            name = hashlib.sha256(data).hexdigest()
            return heard.setdefault(name, int(name[:8], 16) / 2**32)

        sent.append((campaign.played(found, ask, "2026-01", 40, 9), sorted(heard)))
    assert sent[0][0].equals(sent[1][0]) and sent[0][1] == sent[1][1]
    kinds = {label: [one for one in found if one.label == label] for label in (0, 1)}
    labels = [campaign.drawn(kinds, 9, number)[0].label for number in range(2000)]
    assert np.mean(labels) == pytest.approx(0.5, abs=0.035)


def test_what_the_crop_still_shows_is_known_of_painted_roadwork_only(painted: Path, tmp_path: Path) -> None:
    table = campaign.played(pictures.read(painted, "--data"), lambda _: 0.0, "2026-01", 24, 1)
    assert table.filter(label=1)["seen"].null_count() == 0
    assert table.filter(label=0)["seen"].null_count() == table.filter(label=0).height
    for place, file in enumerate(sorted((painted / "images").iterdir())):
        (tmp_path / f"{place}.jpg").write_bytes(file.read_bytes())
    lines = "".join(f"{place}.jpg,{place % 2},\n" for place in range(8))
    (tmp_path / "labels.csv").write_text("file,label,tags\n" + lines)
    unknown = campaign.played(pictures.read(tmp_path, "--data"), lambda _: 0.0, "native", 8, 1)
    assert scores.ceiling(unknown) is None and unknown["level"].null_count() == 8


def test_the_ceiling_is_what_an_eye_would_earn() -> None:
    table = a_table(0.9).with_columns(seen=pl.when(label=1).then(pl.col("number") % 10 > 0))
    missed = table.filter(label=1)["seen"].mean()
    assert isinstance(missed, float)
    eye = pl.when(pl.col("label") == 1).then(pl.col("seen").cast(pl.Float64)).otherwise(0.0)
    labels, said = table["label"], table.select(eye).to_series()
    assert scores.ceiling(table) == pytest.approx(challenge.expected_reward(labels, said), abs=0.015)
    assert scores.ceiling(table.with_columns(seen=pl.lit(True))) == 1.0


@pytest.mark.parametrize("rates", [(0.9, 0.9), (0.97, 0.89), (0.5, 1.0), (0.63, 0.41)])
def test_pay_is_the_expected_reward(rates: tuple[float, float]) -> None:
    labels = np.repeat([0, 1], 1000)
    right = np.concatenate([np.arange(1000) < 1000 * rate for rate in rates])
    plain = challenge.expected_reward(labels, np.where(right, labels, 1 - labels), 1_000_000)
    assert pay.expected(np.array([rates]))[0] == pytest.approx(plain, abs=0.006)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    truth, held = float(pay.expected(np.array([[0.9, 0.9]]))[0]), 0
    for seed in range(60):
        table = a_table(0.9, 400).with_columns(
            p=pl.Series(np.random.default_rng(seed).random(400) < 0.9).cast(pl.Float64)
        )
        table = table.with_columns(p=pl.when(label=1).then("p").otherwise(1 - pl.col("p")))
        score = scores.by_slice(table, seed)[0]
        held += score.low <= truth <= score.high
    assert 50 <= held <= 60


def test_a_picture_asked_often_is_one_witness() -> None:
    """Answers that stand and fall with the picture: the interval must be wider than for lone pictures."""
    table = a_table(0.9, 1000, per_picture=20)
    fate = np.repeat(np.random.default_rng(1).random(50) < 0.9, 20)
    answers = np.where(fate, table["label"].to_numpy(), 1 - table["label"].to_numpy()).astype(float)
    tied = table.with_columns(p=pl.Series(answers))
    lone = tied.with_columns(picture=pl.col("number").cast(pl.String))
    wide, narrow = (scores.by_slice(one, 2)[0] for one in (tied, lone))
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_slices_are_sources_levels_and_tags_and_one_label_borrows_the_other() -> None:
    table = a_table(0.9)
    small = pl.when(label=1).then(pl.lit(["small"])).otherwise(pl.col("tags"))
    told = {score.slice: score for score in scores.by_slice(table.with_columns(tags=small), 1)}
    assert list(told) == ["all", "source here", *(f"level {level}" for level in range(4)), "night", "small"]
    assert told["small"].borrowed and told["small"].mcc is None
    assert told["small"].reward == pytest.approx(told["all"].reward, abs=0.03)
    assert not told["level 0"].borrowed


def test_no_answer_earns_nothing() -> None:
    table = a_table(1.0).with_columns(p=pl.when(pl.col("number") % 4 == 0).then(-1.0).otherwise("p"))
    assert scores.by_slice(table, 1)[0].accuracy == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("listing", "line"),
    [
        (None, "labels.csv: No such file or directory; name a folder of labelled pictures"),
        ("file,label,tags\na.jpg,1,\n", "needs pictures of both labels"),
        ("file,tags\na.jpg,\n", "no column label; add it"),
    ],
)
def test_pictures_that_make_no_campaign_are_one_line(tmp_path: Path, listing: str | None, line: str) -> None:
    if listing is not None:
        (tmp_path / "labels.csv").write_text(listing)
    with pytest.raises(Fixable, match=line):
        pictures.read(tmp_path, "--data")


def test_a_bundle_is_replayed_into_table_json_and_picture(
    painted: Path, sealed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = replay.Wanted(sealed, None, "2026-01", 30, 4, str(painted), tmp_path / "out")
    replay.run(params.load(ROOT / "params.yaml"), wanted)
    name, _ = answering.of_bundle(sealed)
    filed = json.loads((tmp_path / "out" / f"{name}.json").read_text())
    shown = capsys.readouterr().out
    assert filed["challenges"] == 30 and 0 <= filed["slices"]["all"]["reward"] <= 1
    assert f"{filed['slices']['all']['reward']:.3f}" in shown and "noise ceiling: 0." in shown
    assert (tmp_path / "out" / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
    replay.run(params.load(ROOT / "params.yaml"), replace(wanted, out=tmp_path / "again"))
    assert json.loads((tmp_path / "again" / f"{name}.json").read_text()) == filed


def test_help_names_every_choice() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "replay", "--help"], cwd=ROOT, capture_output=True, text=True
    )
    words = ("--bundle", "--url", "--profile", "--challenges", "--seed", "--data")
    assert all(word in done.stdout for word in words)
