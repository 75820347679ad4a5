"""What is wrong with the data of a night is found, measured, and not invented."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest

from pipeline import images, samples
from pipeline.params import Backbone, Drift, Faults, Suspects
from pipeline.pull.journal import PREDICTIONS
from pipeline.quality import drift, faults, opinions, report, shift, suspects
from pipeline.quality.opinions import Opinion

SUSPECTS = Suspects(folds=5, rounds=2, review=40)
FAULTS = Faults(tiny=32, dark=24.0, blank=8.0, blurred=4.0)
Vectors = np.ndarray[tuple[int, int], np.dtype[np.float32]]


def two_clouds(count: int, apart: float, seed: int = 0) -> tuple[Vectors, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = (np.arange(count) % 2).astype(np.int8)
    vectors = rng.normal(0, 1, (count, 16)).astype(np.float32)
    vectors[:, 0] += apart * (2 * labels - 1)
    return vectors, labels


def rows(labels: np.ndarray) -> pl.DataFrame:
    names = [f"{row:04d}" for row in range(len(labels))]
    return pl.DataFrame({"image": names, "family": names, "label": labels}).with_columns(
        pl.col("label").cast(pl.Int8)
    )


def test_planted_label_errors_come_first() -> None:
    vectors, labels = two_clouds(800, apart=2.0)
    wrong = np.random.default_rng(1).choice(800, 40, replace=False)
    labels[wrong] ^= 1
    found = suspects.suspects(rows(labels), vectors, SUSPECTS)
    flagged = {int(image) for image in found["image"]}
    caught = len(flagged & set(wrong.tolist()))
    assert caught / 40 >= 0.7 and caught / len(flagged) >= 0.7
    assert found["doubt"].is_sorted(descending=True) and (found["doubt"] >= 0).all()


def test_a_shy_model_that_is_right_raises_no_alarm() -> None:
    labels = (np.arange(100) % 2).astype(np.int8)
    shy = np.where(labels == 1, 0.55, 0.45)
    assert (suspects.doubts(shy, labels) < 0).all()
    shy[0] = 0.6  # surer of the other label than it is of any other picture
    assert np.flatnonzero(suspects.doubts(shy, labels) >= 0).tolist() == [0]


def test_a_bold_model_has_to_be_as_bold_as_it_usually_is() -> None:
    labels = (np.arange(100) % 2).astype(np.int8)
    bold = np.where(labels == 1, 0.99, 0.01)
    bold[0] = 0.7  # prefers the other label, and says so less loudly than where that label is given
    assert (suspects.doubts(bold, labels) < 0).all()


def test_few_labels_say_nothing() -> None:
    vectors, labels = two_clouds(30, apart=3.0)
    assert suspects.suspects(rows(labels), vectors, SUSPECTS).height == 0


def test_kin_never_vouch_for_each_other() -> None:
    """A wrong label that stands on both pictures of a family is found all the same."""
    vectors, labels = two_clouds(400, apart=2.0)
    vectors[:2] = 0
    vectors[:2, 0] = 4.0 * (2 * labels[:2] - 1)
    labels[:2] = 1 - labels[:2]
    both = np.concatenate([vectors, vectors[:2]])
    table = rows(np.concatenate([labels, labels[:2]])).with_columns(
        family=pl.when(pl.int_range(pl.len()) >= 400)
        .then(pl.int_range(pl.len()) - 400)
        .otherwise(pl.int_range(pl.len()))
        .cast(pl.String)
    )
    flagged = set(suspects.suspects(table, both, SUSPECTS)["image"])
    assert {"0000", "0001", "0400", "0401"} <= flagged


@pytest.mark.parametrize(("moved", "sees"), [(0.0, False), (1.0, True)])
def test_drift_of_vectors(moved: float, sees: bool) -> None:
    rng = np.random.default_rng(3)
    old, new = rng.normal(0, 1, (2, 300, 16)).astype(np.float32)
    new[:, 4] += moved
    told = drift.told_apart(old, new)
    assert (told.auc > 0.65) == sees
    assert (told.p < 0.001) == sees


def test_the_two_sample_test_keeps_its_level() -> None:
    rng = np.random.default_rng(4)
    p = [drift.told_apart(*rng.normal(0, 1, (2, 60, 6)).astype(np.float32)).p for _ in range(100)]
    assert sum(one < 0.05 for one in p) <= 12


def test_drift_of_scores() -> None:
    rng = np.random.default_rng(5)
    old = rng.beta(2, 5, 4000)
    assert drift.stability(old, rng.beta(2, 5, 4000)) < 0.02
    assert drift.stability(old, rng.beta(5, 2, 4000)) > 0.5
    assert np.isfinite(drift.stability(old, np.zeros(10)))


def test_stability_by_hand() -> None:
    """Two bins of even shares before, three to one after; halves are added to every count."""
    old, new = np.array([0.0] * 50 + [1.0] * 50), np.array([0.0] * 75 + [1.0] * 25)
    before, after = np.array([50.5, 50.5]) / 101, np.array([75.5, 25.5]) / 101
    by_hand = float(np.sum((after - before) * np.log(after / before)))
    assert drift.stability(old, new) == pytest.approx(by_hand, rel=0.05)


@pytest.fixture
def shelf(rooms: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACTS", str(rooms / "facts.parquet"))
    return rooms


def put(pixels: np.ndarray) -> str:
    return images.put(bytes(cv2.imencode(".jpg", pixels)[1]))


def test_faults_are_named_and_good_pictures_are_not(shelf: Path) -> None:
    rng = np.random.default_rng(6)
    good = rng.integers(0, 255, (200, 300, 3), np.uint8)
    pictures = {
        put(good): None,
        put(good[:24]): ["tiny"],
        put(good // 16): ["dark"],
        put(np.full((200, 300, 3), 128, np.uint8)): ["blank", "blurred"],
        put(
            cv2.GaussianBlur(good, (0, 0), 12) // 2
            + 60 * (np.arange(300) > 150)[None, :, None].astype(np.uint8)
        ): None,
    }
    found = dict(faults.faulty(faults.measured(list(pictures)), FAULTS).iter_rows())
    for image, named in list(pictures.items())[:4]:
        assert found.get(image) == named or set(named or []) <= set(found.get(image, []))


def test_a_picture_is_measured_once_in_its_life(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [put(np.random.default_rng(seed).integers(0, 255, (64, 64, 3), np.uint8)) for seed in range(5)]
    first = faults.measured(names)
    monkeypatch.setattr(faults, "_facts", None)
    assert faults.measured(names[::-1]).sort("image").equals(first.sort("image"))


def test_a_quiet_house_sees_no_shift_and_a_new_camera_does(
    snap: Callable[[int, int], str], tiny: Backbone
) -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    params = Drift(recent_days=1, reference_days=14, least=20, most=100, moved=0.25, auc=0.7)
    old = [(snap(seed, 0), now - timedelta(days=3), 0.2 + seed / 200) for seed in range(40)]
    new = [(snap(1000 + seed, 1), now, 0.6 + seed / 200) for seed in range(40)]

    def pulled(rows: list[tuple[str, datetime, float]]) -> pl.DataFrame:
        table = pl.DataFrame(rows, schema=["image", "at", "p"], orient="row")
        return table.with_columns(source=pl.lit("challenge"), profile=pl.lit("native"))

    assert shift.shifts(pulled(new), params, tiny) == ()
    [told] = shift.shifts(pulled(old + new), params, tiny)
    assert told.alarming and told.told.auc > 0.9 and (told.score or 0) > 0.25


START = datetime(2026, 1, 1, tzinfo=UTC)


def data(heard: tuple[Opinion, ...] = (), **given: pl.DataFrame) -> report.Data:
    empty = samples.frame([], samples.ASSEMBLED)
    pairs = pl.DataFrame(schema={"one": pl.String, "other": pl.String, "likeness": pl.Float64})
    tables = {
        "pulled": samples.frame([], samples.PULLED),
        "cases": samples.frame([], samples.MINED),
        "table": empty,
        "left_out": empty,
        "pairs": pairs,
        "suspects": pl.DataFrame(schema=suspects.FOUND),
        "faults": pl.DataFrame(schema={"image": pl.String, "faults": pl.List(pl.String)}),
    }
    return report.Data(**(tables | given), shifts=(), opinions=heard, painters=(), gone=0, review=40)


def heard(count: int, truth: float, blend: float = 0.5) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Labelled pictures, and answers to them whose best weight of the second is `truth`."""
    rng = np.random.default_rng(72)
    first, second = rng.random((2, count))
    label = (rng.random(count) < first + truth * (second - first)).astype(int)
    names = [f"{number:03d}" for number in range(count)]
    times = {"image": names, "at": [START] * count}
    said = {"p": first + blend * (second - first), "first": first, "second": second}
    answers = pl.DataFrame({**times, **said, "id": names, "by": ["seer"] * count})
    labels = pl.DataFrame({**times, "label": label, "labelled_at": [START + timedelta(days=1)] * count})
    return samples.conform(labels, samples.PULLED), samples.conform(answers, PREDICTIONS)


@pytest.mark.parametrize("truth", [0.0, 0.3, 1.0])
def test_the_weight_that_a_second_opinion_deserves_is_found(truth: float) -> None:
    (found,) = opinions.opinions(*heard(2000, truth))
    assert found.weight and found.weight.low <= truth <= found.weight.high
    assert found.weight.high - found.weight.low < 0.25
    assert (found.by, found.labelled, found.blend) == ("seer", 2000, pytest.approx(0.5))
    assert found.is_misweighed
    assert (found.second > found.alone) == (truth > 0.5)


def test_a_weight_that_fits_is_left_in_peace_and_few_labels_tell_none() -> None:
    (fits,) = opinions.opinions(*heard(2000, 0.3, blend=0.3))
    assert not fits.is_misweighed
    (few,) = opinions.opinions(*heard(opinions.LEAST - 1, 0.3))
    assert few.weight is None and not few.is_misweighed


def test_what_was_labelled_before_it_was_answered_proves_nothing() -> None:
    labels, answers = heard(100, 0.3)
    later = answers.with_columns(at=pl.col("at") + timedelta(days=2), second=1 - pl.col("second"))
    assert opinions.opinions(labels, pl.concat([answers, later])) == opinions.opinions(labels, answers)
    assert opinions.opinions(labels, later) == ()
    assert opinions.opinions(labels, answers.with_columns(second=None)) == ()


def test_opinions_that_agree_have_no_weight_to_be_found() -> None:
    labels, answers = heard(100, 0.3)
    (found,) = opinions.opinions(labels, answers.with_columns(p="first", second="first"))
    assert found.weight is None


def test_the_page_tells_what_a_second_opinion_is_worth() -> None:
    told = opinions.opinions(*heard(2000, 0.0))
    page = report.page(data(told))
    assert "the second opinion of seer has the wrong weight" in page
    assert "<th>seer</th><td>2,000</td>" in page and "0.50" in page
    assert "Second opinions" not in report.page(data())


def test_an_empty_house_has_a_page() -> None:
    page = report.page(data())
    assert "IN ORDER" in page and "0 pictures teach" in page


def test_the_page_shows_what_needs_a_person_and_needs_nothing_else(snap: Callable[[int, int], str]) -> None:
    table = samples.frame(
        [
            {
                "image": snap(n, n % 2),
                "family": f"f{n // 2}",
                "source": "base",
                "label": n % 2,
                "split": "train",
            }
            | {"kind": "real", "tags": ["night"], "weight": 1.0}
            for n in range(6)
        ],
        samples.ASSEMBLED,
    )
    doubts = pl.DataFrame([(table["image"][0], 0, 0.97, 0.2)], schema=suspects.FOUND, orient="row")
    page = report.page(data(table=table, suspects=doubts))
    assert "1 labels are probably wrong" in page or "1 label is probably wrong" in page
    assert "97% sure of roadwork" in page and page.count("data:image/jpeg") >= 2
    assert "http" not in page.replace("http-equiv", "")
