"""Train: the head is honest, strong enough, the same twice, and says in one line why it cannot be had."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from inference_runtime.errors import Fixable
from pipeline import classifier, params, samples, train
from pipeline.classifier import Head
from pipeline.params import Backbone
from pipeline.train import calibration, fit, folds, metrics, views
from pipeline.train.views import Views

SHIPPED = params.load(Path(__file__).parents[2] / "params.yaml").train
PARAMS = SHIPPED.model_copy(update={"views": 2, "folds": 3, "weight_decays": (0.03, 0.3, 3.0), "epochs": 30})


@pytest.fixture
def assemble(snap: Callable[[int, int], str], rooms: Path) -> Path:
    rows = [
        {
            "image": snap(seed, seed % 2),
            "source": "base",
            "family": f"family {seed // 2}",
            "profile": "2026-01" if seed % 3 else "native",
            "label": seed % 2,
            "tags": ["night"] if seed % 5 == 0 else [],
            "split": ("train", "train", "dev", "holdout")[seed // 2 % 4],
            "weight": 1.0 + seed % 3,
        }
        for seed in range(48)
    ]
    folder = rooms / "assemble"
    folder.mkdir()
    samples.write(samples.conform(pl.DataFrame(rows), samples.ASSEMBLED), folder)
    return folder


def run(assemble: Path, backbone: Backbone, out: Path) -> Path:
    out.mkdir()
    train.run(PARAMS, backbone, assemble, out)
    return out


def rewrite(assemble: Path, *changes: pl.Expr) -> None:
    samples.write(samples.read(assemble).with_columns(*changes), assemble)


def test_a_head_learns_and_files_its_papers(assemble: Path, tiny: Backbone, rooms: Path) -> None:
    out = run(assemble, tiny, rooms / "out")
    assert sorted(file.name for file in out.iterdir()) == [
        "embedding.png",
        "head.safetensors",
        "history.csv",
        "loss.png",
        "metrics.json",
        "reliability.png",
        "roc.png",
        "summary.json",
    ]
    figures = pl.read_json(out / "metrics.json").row(0, named=True)
    assert figures["images"] == 12
    assert figures["auc"] > 0.9
    assert figures["balanced_accuracy"] > 0.8
    assert figures["slices"]["night"]["n"] > 0
    assert {"source base", "level 0"} <= figures["slices"].keys()
    head = classifier.read(out, tiny)
    dev = views.read(assemble, PARAMS.views, tiny)[1]
    filed = json.loads((out / "metrics.json").read_text())
    assert metrics.report(dev.frame, head.probabilities(dev.vectors)) == filed


def test_equal_inputs_give_equal_bytes_and_nothing_beside(
    assemble: Path, tiny: Backbone, rooms: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ran before in this process, however many threads torch may use, whatever is cached."""
    import torch

    first = run(assemble, tiny, rooms / "first")
    (rooms / "elsewhere").mkdir()
    monkeypatch.chdir(rooms / "elsewhere")
    monkeypatch.setenv("FEATURES", str(rooms / "other features"))
    torch.manual_seed(5)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        second = run(assemble, tiny, rooms / "second")
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert hashes(first) == hashes(second)
    assert not list((rooms / "elsewhere").iterdir())


def hashes(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


def test_the_holdout_meets_neither_head_nor_backbone(assemble: Path, tiny: Backbone, rooms: Path) -> None:
    first = run(assemble, tiny, rooms / "first")
    flipped = pl.when(pl.col("split") == "holdout").then(1 - pl.col("label")).otherwise(pl.col("label"))
    rewrite(assemble, flipped.cast(pl.Int8).alias("label"))
    assert hashes(run(assemble, tiny, rooms / "second")) == hashes(first)


def test_stderr_has_plain_lines_only(assemble: Path, tiny: Backbone, rooms: Path) -> None:
    """No bar, no advice from Lightning, no warning: a person reads this log."""
    views.read(assemble, PARAMS.views, tiny)  # cached: spares the child the backbone
    code = (
        "import sys; from pathlib import Path; from pipeline import train\n"
        "from pipeline.params import Backbone, Train\n"
        "out = Path(sys.argv[3]); out.mkdir()\n"
        "train.run(Train.model_validate_json(sys.argv[1]), Backbone.model_validate_json(sys.argv[2]),"
        " Path(sys.argv[4]), out)"
    )
    words = [PARAMS.model_dump_json(), tiny.model_dump_json(), str(rooms / "out"), str(assemble)]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert [line for line in lines if not line.startswith(("features: ", "train: "))] == []
    assert "\r" not in done.stderr


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (pl.lit(1).cast(pl.Int8).alias("label"), "split train holds only roadwork images"),
        (pl.col("label") * (pl.col("split") != "dev"), "dev holds only clear"),
        (pl.col("split").replace("dev", "train"), "split dev is empty"),
        (pl.lit(None, pl.Int8).alias("label"), "split train is empty"),
        (pl.lit("one").alias("family"), "fewer than two families"),
    ],
)
def test_labels_that_cannot_teach_are_one_line(
    assemble: Path, tiny: Backbone, rooms: Path, change: pl.Expr, line: str
) -> None:
    rewrite(assemble, change)
    with pytest.raises(Fixable, match=line) as raised:
        run(assemble, tiny, rooms / "out")
    assert "\n" not in str(raised.value)


def test_vectors_that_are_no_numbers_are_one_line(assemble: Path, dinov3: Path, rooms: Path) -> None:
    from safetensors.numpy import load_file, save_file

    sick = rooms / "sick"
    sick.mkdir()
    (sick / "config.json").write_bytes((dinov3 / "config.json").read_bytes())
    weights = load_file(dinov3 / "model.safetensors")
    weights["norm.bias"] = weights["norm.bias"] * np.float32(np.nan)
    save_file(weights, sick / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(Fixable, match="holds NaN or infinity"):
        run(assemble, Backbone(name=str(sick), revision=None, width=32, height=32, batch=1), rooms / "out")


def test_the_head_of_another_backbone_is_refused(tiny: Backbone, tmp_path: Path) -> None:
    head = Head(np.ones(64, np.float32), 0.0, 1.0, 0.0)
    classifier.write(head, tmp_path, tiny)
    with pytest.raises(Fixable, match=r"made for backbone\.width 32, but params.yaml says 64"):
        classifier.read(tmp_path, tiny.model_copy(update={"width": 64}))
    with pytest.raises(
        Fixable, match=r"made for backbone\.filter 'bilinear', but params.yaml says 'lanczos'"
    ):
        classifier.read(tmp_path, tiny.model_copy(update={"filter": "lanczos"}))
    (tmp_path / classifier.FILE).write_bytes(b"torn")
    with pytest.raises(Fixable, match="no readable head"):
        classifier.read(tmp_path, tiny)


def test_a_head_of_before_there_were_filters_is_read(tiny: Backbone, tmp_path: Path) -> None:
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file

    file = tmp_path / classifier.FILE
    classifier.write(Head(np.ones(64, np.float32), 0.0, 1.0, 0.0), tmp_path, tiny)
    with safe_open(file, framework="numpy") as opened:
        facts = json.loads(opened.metadata()["head"])
    del facts["backbone"]["filter"]
    save_file(load_file(file), file, metadata={"head": json.dumps(facts)})
    assert classifier.read(tmp_path, tiny).weight.sum() == 64


def test_a_head_comes_back_as_it_was_written(tiny: Backbone, tmp_path: Path) -> None:
    import torch

    head = Head(np.linspace(-1, 1, 64, dtype=np.float32), 0.25, 1.5, -0.125)
    classifier.write(head, tmp_path, tiny)
    model = classifier.from_folder(tmp_path, tiny)
    pixels = torch.randint(0, 256, (3, 32, 32, 3), generator=torch.manual_seed(1)).to(torch.uint8)
    with torch.inference_mode():
        vectors = model.backbone(pixels).numpy()
        assert np.allclose(model(pixels).numpy(), head.logits(vectors), atol=1e-5)


def synthetic(families: int, dim: int, signal: float, seed: int, each: int = 4) -> Views:
    """Families of views around one point each; the label shows in the first feature only."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(rng.permutation(np.arange(families) % 2), each)
    points = np.repeat(rng.normal(size=(families, dim)), each, axis=0)
    vectors = points + 0.3 * rng.normal(size=points.shape)
    # Told by its direction alone: no wider than the others, or its mere size would give it away.
    vectors[:, 0] = (vectors[:, 0] + signal * (2 * labels - 1)) / np.sqrt(1 + signal**2)
    frame = pl.DataFrame(
        {
            "image": [f"{place // each}" for place in range(len(labels))],
            "view": [f"native/{place % each}" for place in range(len(labels))],
            "family": [f"{place // each}" for place in range(len(labels))],
            "label": labels.astype(np.int8),
            "weight": 1.0,
        }
    )
    return Views(vectors.astype(np.float32), frame)


def test_as_good_as_plain_logistic_regression() -> None:
    """Few images, many features, one that tells: plain regression's weak penalty lets it learn noise."""
    from sklearn.linear_model import LogisticRegression

    ours, theirs = [], []
    for seed in (1, 5):
        taught, unseen = synthetic(80, 300, 1.5, seed), synthetic(400, 300, 1.5, seed + 1)
        head = fit.fit(taught, PARAMS).head
        plain = LogisticRegression(max_iter=1000).fit(taught.vectors, taught.labels)
        ours.append(metrics.auc(unseen.labels, head.logits(unseen.vectors)))
        theirs.append(metrics.auc(unseen.labels, plain.decision_function(unseen.vectors)))
    assert np.mean(ours) > np.mean(theirs) - 0.01
    assert np.mean(ours) > 0.6


def test_noise_gets_the_strongest_decay() -> None:
    """Judged on unseen families, a head that fits nothing real is not rewarded for its memory."""
    assert fit.fit(synthetic(60, 200, 0.0, 3), PARAMS).setting.decay == max(PARAMS.weight_decays)


def test_no_fold_divides_a_family_and_each_holds_both_labels() -> None:
    frame = synthetic(31, 4, 0.0, 4).frame
    dealt = frame.with_columns(fold=folds.folds_of(frame, 5, 72))
    assert dealt.group_by("family").agg(pl.col("fold").n_unique())["fold"].max() == 1
    assert dealt.group_by("fold").agg(pl.col("label").n_unique())["label"].to_list() == [2] * 5


def test_weights_are_half_and_half_and_shared_among_views() -> None:
    frame = pl.DataFrame(
        {"image": ["a", "a", "b", "c"], "label": [1, 1, 1, 0], "weight": [2.0, 2.0, 1.0, 7.0]}
    )
    assert np.allclose(Views(np.zeros((4, 1), np.float32), frame).weights, [1 / 6, 1 / 6, 1 / 6, 1 / 2])


def test_calibration_finds_what_was_done_to_the_logits() -> None:
    rng = np.random.default_rng(72)
    true = rng.normal(0, 2, 20_000)
    labels = (rng.random(20_000) < 1 / (1 + np.exp(-true))).astype(np.int8)
    temperature, offset = calibration.temperature_and_offset(3 * true - 1.5, labels, np.ones(20_000))
    assert temperature == pytest.approx(3, rel=0.05)
    assert offset == pytest.approx(0.5, abs=0.05)


def test_calibration_does_not_trust_a_handful() -> None:
    """Eight separable images would ask for a temperature near 0 and send every p to 0 or 1."""
    logits, labels = np.linspace(0.5, 4, 8), np.array([0, 0, 0, 0, 1, 1, 1, 1], np.int8)
    temperature, offset = calibration.temperature_and_offset(logits, labels, np.ones(8))
    assert 0.4 < temperature < 2
    assert -2 < offset < 0


def test_metrics_agree_with_sklearn() -> None:
    from sklearn import metrics as theirs

    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 500).astype(np.int8)
    p = np.round(np.clip(rng.normal(0.4 + 0.2 * labels, 0.3), 0, 1), 1)  # rounded: ties must not help
    ours = metrics.agreement(labels, p)
    assert metrics.auc(labels, p) == pytest.approx(theirs.roc_auc_score(labels, p))
    assert ours["mcc"] == pytest.approx(theirs.matthews_corrcoef(labels, p > 0.5), abs=1e-6)
    balanced = theirs.balanced_accuracy_score(labels, p > 0.5)
    assert ours["balanced_accuracy"] == pytest.approx(balanced, abs=1e-6)


def test_calibration_error_of_known_lies() -> None:
    labels = np.array([1, 1, 1, 0] * 25, np.int8)
    assert metrics.calibration_error(labels, np.full(100, 0.75)) == pytest.approx(0)
    assert metrics.calibration_error(labels, np.full(100, 0.95)) == pytest.approx(0.2)


def test_the_null_of_the_calibration_error_is_what_honest_answers_show() -> None:
    """The figures for a perfectly calibrated model of accuracy .96 at 200 and 2,000 items."""
    rng = np.random.default_rng(3)
    nulls = []
    for count in (200, 2000):
        p = np.where(rng.random(count) < 0.5, 0.96, 0.04)
        nulls.append(metrics.calibration_null([str(place) for place in range(count)], p))
        honest = [
            metrics.calibration_error((rng.random(count) < p).astype(np.int8), p) > nulls[-1]
            for _ in range(200)
        ]
        assert 0.0 < np.mean(honest) < 0.13
    assert nulls[0] > 2 * nulls[1]
    alone, together = (
        metrics.calibration_null([str(place // each) for place in range(400)], np.full(400, 0.7))
        for each in (1, 4)
    )
    assert together > 1.5 * alone


def test_calibration_puts_the_best_operating_point_on_one_half() -> None:
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 2, 4000)
    raw = 3 * rng.normal(2 * labels - 1, 1.2) + 4
    temperature, offset = calibration.temperature_and_offset(raw, labels.astype(np.int8), np.full(4000, 0.5))
    moved = raw / temperature + offset
    best = max(metrics.mcc(labels > 0, moved > cut) for cut in np.linspace(-3, 3, 121))
    assert metrics.mcc(labels > 0, raw > 0) < best - 0.1
    assert metrics.mcc(labels > 0, moved > 0) > best - 0.01
