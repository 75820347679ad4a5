"""Heads: every option does what it says, none is on unasked, and a fit survives being killed."""

import math
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from inference_runtime.errors import Fixable
from pipeline import classifier
from pipeline.classifier import Head, Hidden
from pipeline.params import Kind, Train
from pipeline.train import batches, choose, fit, memory, metrics
from pipeline.train.candidates import Candidate, Setting
from pipeline.train.heads import Heads, agreement
from pipeline.train.lesson import Lesson, prepared
from pipeline.train.scale import Scale

sys.path.insert(0, str(Path(__file__).parent))
from lessons import lesson, numbers, views

PROGRAM = Path(__file__).parent / "lessons.py"


@pytest.fixture(autouse=True)
def checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHECKPOINTS", str(tmp_path / "checkpoints"))
    return tmp_path / "checkpoints"


@pytest.mark.parametrize("kind", ["squares", "logistic", "linear", "mlp"])
def test_each_kind_learns_and_equal_inputs_give_equal_bits(kind: str) -> None:
    unseen = views(families=300, seed=9)
    wanted = numbers(heads=(kind,), rates=(0.03,), weight_decays=(0.1,), epochs=30)
    heads = [fit.fit(views(), wanted).head for _ in range(2)]
    assert metrics.auc(unseen.labels, heads[0].logits(unseen.vectors)) > 0.8
    assert heads[0].weight.tobytes() == heads[1].weight.tobytes() and heads[0].bias == heads[1].bias
    assert (heads[0].hidden is not None) == (kind == "mlp")


def test_a_head_of_many_answers_what_they_answer_on_average() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(50, 6)).astype(np.float32)

    def head(hidden: bool) -> Head:
        layer = Hidden(*(rng.normal(size=size).astype(np.float32) for size in ((4, 6), (4,))))
        weight = rng.normal(size=4 if hidden else 6).astype(np.float32)
        return Head(weight, float(rng.normal()), 1.0, 0.0, layer if hidden else None)

    for hidden in (False, True):
        many = [head(hidden) for _ in range(3)]
        mean = np.mean([one.logits(vectors) for one in many], axis=0)
        assert np.allclose(classifier.averaged(many).logits(vectors), mean, atol=1e-5)


def test_all_candidates_of_a_pass_are_as_if_each_were_alone() -> None:
    """One optimiser, many heads: what one learns must not depend on who sits beside it."""
    both = fit.fit(views(), numbers(heads=("linear",), simplest=False))
    for decay in (0.1, 1.0):
        alone = fit.fit(views(), numbers(heads=("linear",), weight_decays=(decay,)))
        lines = [line for line in both.history if line["weight_decay"] == decay]
        together = [line["unseen"] for line in lines][: len(alone.history)]
        assert np.allclose(together, [line["unseen"] for line in alone.history][: len(together)], atol=1e-5)


def test_the_simplest_within_one_standard_error_is_chosen() -> None:
    settings = [Setting("logistic", 0.1, None), Setting("logistic", 1.0, None), Setting("mlp", 1.0, 0.001)]
    rng = np.random.default_rng(1)
    noise = rng.normal(1, 0.3, (200, 1)) + rng.normal(0, 0.05, (200, 3))
    noise -= noise.mean(0) - 1
    close = noise + np.array([0.0, 0.001, -0.001])
    assert choose.chosen(close, settings, simplest=True) == 1
    assert choose.chosen(close, settings, simplest=False) == int(close.sum(0).argmin())
    assert choose.chosen(noise + np.array([0.0, 0.2, -0.2]), settings, simplest=True) == 2


def test_a_fold_is_never_taught_its_own_families_not_even_in_a_mixture() -> None:
    mixed = lesson(mixup=0.4)
    rows = len(mixed.labels)
    own = mixed.judged.argmax(1)
    assert (mixed.taught[np.arange(rows), own] == 0).all()
    others = np.random.default_rng(72).permutation(rows)
    assert (mixed.taught[rows + np.arange(rows), own] == 0).all()
    assert (mixed.taught[rows + np.arange(rows), own[others]] == 0).all()
    assert len(mixed.targets) == 2 * rows and len(mixed.seen) == rows


def test_a_row_mixed_is_on_the_line_between_its_parents() -> None:
    mixed = lesson(mixup=0.4)
    rows = len(mixed.labels)
    others = np.random.default_rng(72).permutation(rows)
    start, end, between = mixed.vectors[:rows], mixed.vectors[:rows][others], mixed.vectors[rows:]
    length = np.linalg.norm(start - end, axis=1)
    detour = np.linalg.norm(start - between, axis=1) + np.linalg.norm(between - end, axis=1)
    assert np.allclose(detour, length, atol=1e-3)


def test_smoothing_and_a_teacher_move_the_targets_and_never_what_is_judged(tmp_path: Path) -> None:
    plain = lesson()
    assert np.allclose(lesson(smoothing=0.1).targets, np.where(plain.labels > 0, 0.9, 0.1))
    file = tmp_path / "teacher.parquet"
    pl.DataFrame({"image": ["0", "1"], "p": [0.25, 0.75]}).write_parquet(file)
    softened = lesson(teacher=str(file), teacher_share=0.5)
    assert np.allclose(softened.targets[:4], 0.5 * plain.labels[:4] + 0.125)
    assert np.allclose(softened.targets[8:], plain.labels[8:])
    for other in (softened, lesson(smoothing=0.1)):
        assert np.array_equal(other.labels, plain.labels) and np.array_equal(other.judged, plain.judged)


@pytest.mark.parametrize("content", [None, b"no parquet"])
def test_a_teacher_that_says_nothing_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "teacher.parquet"
    if content:
        file.write_bytes(content)
    with pytest.raises(Fixable, match=r"train\.lesson\.teacher: .*set it to null"):
        lesson(teacher=str(file))


def test_what_was_picked_rarely_weighs_more_but_not_without_bound() -> None:
    taught = views()
    chance = pl.when(pl.col("family") == "0").then(0.25).when(pl.col("family") == "1").then(0.001)
    odd = type(taught)(taught.vectors, taught.frame.with_columns(probability=chance))
    heard = prepared(odd, Scale.of(odd), numbers({"selection": 1.0, "balance": False}).lesson, 3, 72).taught
    plain = prepared(odd, Scale.of(odd), numbers({"balance": False}).lesson, 3, 72).taught
    ratio = (heard / np.where(plain > 0, plain, np.nan))[[0, 4, 8]]
    ratio = np.nanmax(ratio, axis=1) / np.nanmax(ratio[2])
    assert ratio[0] == pytest.approx(4, rel=0.2) and ratio[1] == pytest.approx(10, rel=0.2)


def test_the_prior_of_unbalanced_labels_is_corrected() -> None:
    """Nine in ten are roadwork in what is taught; in the challenges it is half."""
    many = views(families=400, signal=1.0)
    rare = (many.frame["label"] == 0).to_numpy() & (many.frame["family"].cast(pl.Int64) % 9 > 0).to_numpy()
    skewed = type(many)(many.vectors[~rare], many.frame.filter(~pl.Series(rare)))
    fair = views(families=400, signal=1.0, seed=5)
    said = {
        balance: fit.fit(skewed, numbers({"balance": balance})).head.logits(fair.vectors)
        for balance in (True, False)
    }
    assert all(0.25 < (logits > 0).mean() < 0.7 for logits in said.values())
    taught = skewed.frame["label"].to_numpy().mean()
    assert (said[False] + np.log(taught / (1 - taught)) > 0).mean() > 0.85


def test_focal_loss_weighs_by_the_miss() -> None:
    logits, targets = torch.tensor([[[2.0]]]), torch.tensor([1.0])
    plain, focal = (
        Heads([Setting("linear", 0.1, 0.001)], 1, 2, 0.0, numbers({"focal": power}))._missed(logits, targets)
        for power in (0.0, 2.0)
    )
    miss = 1 - 1 / (1 + math.exp(-2.0))
    assert float(focal) == pytest.approx(float(plain) * miss**2, rel=1e-5)


def test_a_curriculum_lets_the_levels_join_one_by_one() -> None:
    held = lesson(curriculum=2)
    deal = batches.Deal(held.joins, 64, 1)
    seen = []
    for epoch in (0, 2, 4, 6):
        deal.set_epoch(epoch)
        rows = torch.cat(list(deal))
        seen.append({int(level) for level in held.joins[rows.numpy()] // 2})
        assert len(rows) == len(set(rows.tolist())) == (held.joins <= epoch).sum()
    assert seen == [{0}, {0, 1}, {0, 1, 2}, {0, 1, 2, 3}]


def test_agreement_is_matthews_coefficient() -> None:
    from sklearn.metrics import matthews_corrcoef

    rng = np.random.default_rng(2)
    labels, said = rng.integers(0, 2, 200), rng.integers(0, 2, (200, 3, 2))
    fold = rng.integers(0, 2, 200)
    weights = torch.from_numpy(np.eye(2)[fold]).float()
    ours = agreement(torch.from_numpy(said).float(), torch.from_numpy(labels).float(), weights)
    theirs = [matthews_corrcoef(labels, said[np.arange(200), place, fold]) for place in range(3)]
    assert np.allclose(ours.numpy(), theirs, atol=1e-5)


@pytest.mark.parametrize("watch", ["loss", "mcc"])
def test_what_is_remembered_is_the_best_moment(watch: str) -> None:
    fitted = fit.fit(views(signal=0.3), numbers(heads=("linear",), watch=watch, rates=(0.03,), epochs=40))
    losses = [float(line["unseen"]) for line in fitted.history]
    assert fitted.epochs < 40 and min(losses) < losses[-1]


def test_a_candidate_comes_back_to_its_best_moment() -> None:
    one = Candidate(Setting("linear", 0.1, 0.1), 2, 3, 4, torch.Generator().manual_seed(0))
    one.weight.data.fill_(2.0)
    one.remember()
    one.weight.data.fill_(5.0)
    one.recall()
    assert (one.weight == 2.0).all()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["logistic", "linear"])
def test_killed_in_the_middle_it_ends_where_the_undisturbed_ends(kind: Kind, checkpoints: Path) -> None:
    wanted = numbers(
        heads=(kind,), epochs=4000, patience=4000, weight_decays=(0.001,), trainer={"keep_every": 0.0}
    )
    child = subprocess.Popen([sys.executable, PROGRAM, wanted.model_dump_json()])
    try:
        epoch = killed_after(child, checkpoints, epochs=3)
    finally:
        child.kill()
    # Fewer epochs would be another fit: the rest is trained with the same numbers, stopped by hand.
    assert 0 < epoch < 4000
    short = wanted.model_copy(update={"epochs": epoch + 20})
    file = next(checkpoints.glob("*.ckpt"))
    held = lesson_of(short)
    resumed, undisturbed = (trained(held, short, kind, ckpt) for ckpt in (file, None))
    assert [line["epoch"] for line in resumed.history] == [line["epoch"] for line in undisturbed.history]
    for one, other in zip(resumed.parameters(), undisturbed.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def lesson_of(wanted: Train) -> Lesson:
    taught = views()
    return prepared(taught, Scale.of(taught), wanted.lesson, wanted.folds, wanted.seed)


def trained(held: Lesson, wanted: Train, kind: Kind, checkpoint: Path | None) -> Heads:
    from pipeline import features
    from pipeline.train import candidates, trainer

    heads = Heads(candidates.settings(kind, wanted), held.folds, held.vectors.shape[1], 0.0, wanted)
    rows = batches.whole(held) if kind == "logistic" else batches.dealt(held, 64, wanted.seed)
    with features.one_thread(), trainer.quiet():
        ours = trainer._trainer(wanted, Path(os.devnull), shared=False)
        ours.callbacks = [one for one in ours.callbacks if not isinstance(one, trainer.Kept)]
        ours.fit(heads, rows, batches.unseen(held), ckpt_path=checkpoint)
    return heads


def killed_after(child: "subprocess.Popen[bytes]", checkpoints: Path, epochs: int) -> int:
    """Kills the child once it has kept so many epochs; how many it had by then."""
    until = time.monotonic() + 200
    while time.monotonic() < until and child.poll() is None:
        kept = list(checkpoints.glob("*.ckpt"))
        if kept and torch.load(kept[0], weights_only=False)["epoch"] >= epochs:
            child.kill()
            child.wait()
            return int(torch.load(kept[0], weights_only=False)["epoch"]) + 1
        time.sleep(0.02)
    raise AssertionError(f"the fit ended by itself ({child.poll()})")


def test_a_finished_fit_leaves_no_checkpoint(checkpoints: Path) -> None:
    fit.fit(views(), numbers(epochs=3, trainer={"keep_every": 0.0}))
    assert checkpoints.is_dir() and not list(checkpoints.iterdir())


@pytest.mark.slow
def test_two_processes_learn_what_one_learns() -> None:
    alone, shared = (
        fit.fit(views(), numbers(heads=("linear",), epochs=3, trainer={"processes": processes}))
        for processes in (1, 2)
    )
    assert len(shared.history) == len(alone.history)
    assert np.allclose(alone.head.weight, shared.head.weight, atol=1e-5)


def test_bf16_is_near_enough() -> None:
    exact, rough = (
        fit.fit(views(), numbers(heads=("linear",), trainer={"precision": precision})).head
        for precision in ("32-true", "bf16-mixed")
    )
    unseen = views(seed=4).vectors
    assert np.corrcoef(exact.logits(unseen), rough.logits(unseen))[0, 1] > 0.99


@pytest.mark.slow
def test_a_compiled_fit_is_the_same_fit() -> None:
    plain, compiled = (
        fit.fit(views(), numbers(heads=("mlp",), epochs=2, trainer={"compile": on})).head
        for on in (False, True)
    )
    assert np.allclose(plain.weight, compiled.weight, atol=1e-4)


def test_curves_go_to_wandb_offline_or_its_absence_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    wanted = numbers(epochs=2, trainer={"wandb": "roadwork"})
    try:
        import wandb  # noqa: F401
    except ModuleNotFoundError:
        with pytest.raises(Fixable, match="uv sync --inexact --extra wandb"):
            fit.fit(views(), wanted)
        return
    fit.fit(views(), wanted)
    assert list(tmp_path.glob("var/wandb/wandb/offline-run-*"))


def test_too_little_memory_is_one_line_before_anything_is_tried(tmp_path: Path) -> None:
    memory.refuse_lack(1000, 100, free=10**9)
    line = r"10,000,000 vectors of 1,000 numbers take about 260\.8 GiB .* 1\.0 GiB are free; lower"
    with pytest.raises(Fixable, match=line):
        memory.refuse_lack(10_000_000, 1000, free=2**30)
    for name, value in (("max", "3000"), ("current", "1500"), ("stat", "anon 1000\ninactive_file 500\n")):
        (tmp_path / f"memory.{name}").write_text(value)
    assert memory.available(tmp_path) == 2000
    assert memory.available(tmp_path / "none") > 2000
