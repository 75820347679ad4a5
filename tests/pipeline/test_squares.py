"""Least squares: the line that scikit-learn finds, and log odds that mean what they say."""

import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.train import fit, metrics, squares
from pipeline.train.plots import loss

sys.path.insert(0, str(Path(__file__).parent))
from lessons import lesson, numbers, views

DECAYS = (0.01, 0.1, 1.0)


def test_each_line_is_ridge_regression() -> None:
    from sklearn.linear_model import Ridge

    held = lesson()
    found = squares.solved(held, DECAYS)
    for fold in range(3):
        share = held.taught[:, fold] / held.taught[:, fold].sum()
        mean = share @ held.vectors
        deviation = np.sqrt(share @ np.square(held.vectors - mean))
        for place, decay in enumerate(DECAYS):
            theirs = Ridge(alpha=decay).fit(
                held.vectors / deviation, held.targets * 2 - 1, sample_weight=share
            )
            ours = found.folds.logits(held.seen)[:, place, fold]
            assert np.corrcoef(ours, theirs.predict(held.vectors / deviation))[0, 1] > 1 - 1e-6


def test_a_fold_has_not_seen_what_it_is_judged_on() -> None:
    held = lesson()
    own = held.judged.argmax(1) == 0
    changed = held.targets.copy()
    changed[own] = 1 - changed[own]
    other = type(held)(**(vars(held) | {"targets": changed}))
    one, two = (squares._solved(each, each.taught[:, 0], DECAYS) for each in (held, other))
    assert np.allclose(one[0], two[0]) and np.allclose(one[1], two[1])


def test_log_odds_are_calibrated_where_the_classes_are_bells() -> None:
    unseen = views(families=2000, seed=9, each=1)
    head = fit.fit(views(families=400), numbers(heads=("squares",), weight_decays=(0.01,))).head
    p = 1 / (1 + np.exp(-head.logits(unseen.vectors).astype(np.float64)))
    assert metrics.auc(unseen.labels, p) > 0.9
    assert metrics.calibration_error(unseen.labels, p) < 0.05


@pytest.mark.parametrize("balance", [True, False])
def test_the_prior_of_what_was_taught_is_not_in_the_answer(balance: bool) -> None:
    many, fair = views(families=400), views(families=400, seed=5)
    rare = (many.frame["label"] == 0).to_numpy() & (many.frame["family"].cast(pl.Int64) % 9 > 0).to_numpy()
    skewed = type(many)(many.vectors[~rare], many.frame.filter(~pl.Series(rare)))
    wanted = numbers({"balance": balance}, heads=("squares",))
    assert 0.35 < (fit.fit(skewed, wanted).head.logits(fair.vectors) > 0).mean() < 0.65


def test_it_is_drawn_along_the_decay(tmp_path: Path) -> None:
    fitted = fit.fit(views(), numbers(heads=("squares", "logistic"), weight_decays=DECAYS))
    lines = [line for line in fitted.history if line["head"] == "squares"]
    assert [line["weight_decay"] for line in lines] == list(DECAYS)
    seen, unseen, mcc = (
        np.array([line[name] for line in lines], float) for name in ("seen", "unseen", "mcc")
    )
    assert (seen > 0).all() and (seen < unseen).all() and (unseen < 1).all()
    assert (mcc > 0).all() and (mcc < 1).all()
    squared = fit.fit(views(), numbers(heads=("squares",), weight_decays=DECAYS))
    loss(pl.DataFrame(squared.history), squared.setting, tmp_path / "loss.png")
    assert (tmp_path / "loss.png").stat().st_size > 5000
